// Grouped convolution by 3 x 3 pixels in float32, forward and backward, for x86 processors with AVX2.
//
// A group's channels are too few to be a product of matrices of their own; what costs time elsewhere is to lay them out, and
// zeros at edges. Here a task has some groups of some images, and copies a strip of rows of them at a time, group by group,
// into the second cache: with zeros at the sides, and as the batch norm before made it, where only that norm's input is
// kept. Results are then summed in registers over all that a window reads, several neighbours at once. A vector holds the
// results of one group, or of two groups of four channels, which read theirs by a permutation within each half.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VECTOR_BYTES 32
#include "kernels_normalise.h"

namespace deep_cnn {
namespace {

/** Pixels of a window's side, and of a window. */
constexpr int64_t side = 3, window = side * side;

/** Channels of a group of which two share a vector. */
constexpr int64_t half = lanes / 2;

/** Vectors that are summed in registers at a time. */
constexpr int sums_at_once = 12;

/** The same where a vector is all that a block has: three more stand for what is read of a line. */
constexpr int line_sums = 10;

/** Channels that a task copies at a time, whole lines of memory; numbers that its strip may have, to stay in the second cache. */
constexpr int64_t most_channels = 64, fewest_channels = 32, strip_numbers = 65536;

/** The fewest rows of results in a strip, as far as images have them; a strip of fewer copies its neighbours' rows too often. */
constexpr int64_t fewest_rows = 7;

constexpr int64_t enough_tasks = 32, line_numbers = 16;

/** A number that is known to the compiler. */
template <int Value>
struct Number {
  static constexpr int value = Value;
};

/** Rows or columns from `first` to `end`. */
struct Range {
  int64_t first, end;

  int64_t count() const { return end - first; }
};

int64_t floor_divide(int64_t a, int64_t by) { return a >= 0 ? a / by : -divide_up(-a, by); }

Range clip(const Range &range, int64_t length) { return {most(range.first, 0), least(range.end, length)}; }

/** How the work is divided: in sets of blocks of channels that are computed together, and strips of images. */
struct Plan {
  int64_t width;         // channels of a block: one group, or two of four channels
  int64_t blocks, sets;  // of all channels
  int64_t strips;        // of an image
  int64_t parts;         // of all images' strips, with sums of their own

  Range blocks_of(int64_t set) const { return {blocks * set / sets, blocks * (set + 1) / sets}; }
  int64_t blocks_at_once() const { return divide_up(blocks, sets); }
};

/** Columns of x that windows read, and of dy that the gradient at x reads; beyond the images' there are zeros. */
Range columns_of_x(const Grouped &op) { return {-op.left, (op.out_width - 1) * op.stride + side - op.left}; }
Range columns_of_dy(const Grouped &op) {
  return {floor_divide(op.left - (side - 1), op.stride), (op.width - 1 + op.left) / op.stride + 1};
}

/** Rows of a strip: of results, and what belongs to them. */
struct Strip {
  Range y, x;       // results, and what their windows read
  Range dx, dy;     // rows of the gradient at x that are computed with these, and what they and the filter's read
};

Strip strip_of(const Grouped &op, int64_t strips, int64_t index) {
  Strip strip;
  strip.y = {op.out_height * index / strips, op.out_height * (index + 1) / strips};
  strip.x = clip({strip.y.first * op.stride - op.top, (strip.y.end - 1) * op.stride - op.top + side}, op.height);
  strip.dx = {least(strip.y.first * op.stride, op.height),
              index + 1 == strips ? op.height : least(strip.y.end * op.stride, op.height)};
  const Range read = {floor_divide(strip.dx.first + op.top - (side - 1), op.stride),
                      (strip.dx.end - 1 + op.top) / op.stride + 1};
  strip.dy = clip({least(read.first, strip.y.first), most(read.end, strip.y.end)}, op.out_height);
  return strip;
}

/** Numbers of one row of results and of what is read for it. */
int64_t row_numbers(const Grouped &op, int64_t channels) {
  return (columns_of_x(op).count() * op.stride + columns_of_dy(op).count()) * channels;
}

Plan plan_of(const Grouped &op) {
  Plan plan;
  plan.width = most(op.group, lanes);
  plan.blocks = op.channels / plan.width;
  const auto rows_of = [&](int64_t channels) { return strip_numbers / row_numbers(op, channels); };
  const int64_t channels = rows_of(most_channels) < fewest_rows ? fewest_channels : most_channels;
  plan.sets = divide_up(plan.blocks, most(1, channels / plan.width));
  const int64_t rows = most(fewest_rows, rows_of(plan.blocks_at_once() * plan.width));
  plan.strips = divide_up(op.out_height, rows);
  plan.parts = least(op.images * plan.strips, divide_up(enough_tasks, plan.sets));
  return plan;
}

struct Work {
  const Grouped *op;
  const Plan *plan;
  const Remaker<float> *remaker;  // of what lies at x, or null
  float *sums;                    // [parts][3, 3, group, C]
};

/** Rows of a set's channels, copied: [block][row][column][channels of a block]. */
struct Copy {
  float *at;
  Range rows, columns;
  int64_t capacity, width;  // of rows, and of a block

  int64_t line() const { return columns.count() * width; }
  int64_t block() const { return capacity * line(); }
  const float *pixel(int64_t block, int64_t row, int64_t column) const {
    return at + block * this->block() + (row - rows.first) * line() + (column - columns.first) * width;
  }
};

/** An image of which some channels are read. */
struct Image {
  const float *at;
  int64_t width, channels;
  Range wanted;  // of the channels

  const float *pixel(int64_t row, int64_t column) const { return at + (row * width + column) * channels; }
};

/** `made`: room for a pixel, where it comes from a batch norm. */
void copy(const Image &image, const Remaker<float> *remaker, float *made, const Copy &to) {
  const int64_t blocks = image.wanted.count() / to.width, pitch = to.block();
  const Range there = clip(to.columns, image.width);
  for (int64_t row = to.rows.first; row < to.rows.end; row++) {
    float *line = to.at + (row - to.rows.first) * to.line();
    for (int64_t block = 0; block < blocks; block++) {
      float *each = line + block * pitch;
      memset(each, 0, (there.first - to.columns.first) * to.width * sizeof(float));
      memset(each + (there.end - to.columns.first) * to.width, 0, (to.columns.end - there.end) * to.width * sizeof(float));
    }
    line += (there.first - to.columns.first) * to.width;
    for (int64_t column = there.first; column < there.end; column++, line += to.width) {
      const float *from = image.pixel(row, column);
      if (remaker) {
        remaker->part(from, made, image.wanted.first, image.wanted.end);
        from = made;
      }
      from += image.wanted.first;
      float *each = line;
      for (int64_t block = 0; block < blocks; block++, each += pitch) {
        for (int64_t c = 0; c < to.width; c += lanes, from += lanes) store(each + c, load(from));
      }
    }
  }
}

/** What memory is asked for while results are computed, some pixels at a time, so that it is there when its turn comes. */
class Ahead {
 public:
  void add(const Image &image, const Range &rows) {
    parts_[count_++] = {image.pixel(rows.first, 0) + image.wanted.first, most(0, rows.count()) * image.width,
                        image.channels, image.wanted.count()};
    pixels_ += parts_[count_ - 1].pixels;
  }

  /** All of it, in so many times. */
  void share(int64_t times) { at_once_ = divide_up(pixels_, times); }

  void ask() {
    for (int64_t left = at_once_; left > 0 && at_ < count_;) {
      Part &part = parts_[at_];
      const int64_t pixels = least(left, part.pixels);
      for (int64_t i = 0; i < pixels; i++, part.at += part.pitch) {
        for (int64_t c = 0; c < part.numbers; c += line_numbers) __builtin_prefetch(part.at + c, 0, 2);
      }
      left -= pixels, part.pixels -= pixels;
      if (part.pixels == 0) at_++;
    }
  }

 private:
  struct Part {
    const float *at;
    int64_t pixels, pitch, numbers;
  };
  Part parts_[3];
  int64_t count_ = 0, at_ = 0, pixels_ = 0, at_once_ = 0;
};

/** The vectors of a block that are summed together, so that two or three are, but where there is only one. */
ALWAYS_INLINE int64_t vectors_from(int64_t channel, int64_t width) {
  const int64_t left = (width - channel) / lanes;
  return left == 1 || left == 3 ? left : 2;
}

/** How often a row of a block's results is begun anew. */
int64_t shares_of(const Plan &plan, int64_t pixels) {
  int64_t shares = 0;
  for (int64_t c = 0; c < plan.width; c += vectors_from(c, plan.width) * lanes) {
    shares += divide_up(pixels, plan.width == lanes ? line_sums : sums_at_once / vectors_from(c, plan.width));
  }
  return shares;
}

/** A row of the windows of some neighbours: where the first one's reads its first pixel, and that one's place in the filter. */
struct Line {
  const float *from;
  int64_t place;
};

/** What neighbouring results share. */
struct Windows {
  Line lines[side];
  int64_t count;             // of lines
  int64_t taps, place_step;  // pixels that are read of a line, side by side, and how their places differ
  int64_t stride;            // pixels from what one result reads to what the next does
  int64_t depth, width;      // channels that are read, and of a block
  const float *filter;       // [place][channel read][vectors]
  int64_t y_pitch;           // from one result to the next
  Ahead *ahead;
};

/** Number J of each half of a vector, in all places of that half. */
template <int J>
ALWAYS_INLINE V spread(V v) {
  return (V)_mm256_permute_ps((__m256)v, J * 0x55);
}

/** Adds the products of channel J of `Pixels` pixels, `pitch` apart, and the filter's vectors for it. */
template <int J, int Pixels, int Vectors, int Pointers>
ALWAYS_INLINE void add_products(V (&sum)[Pixels][Vectors], const float *const (&from)[Pointers], int64_t pitch,
                                const float *filter) {
  V b[Vectors];
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; v++) b[v] = load(filter + (J * Vectors + v) * lanes);
#pragma GCC unroll 12
  for (int p = 0; p < Pixels; p++) {
    const float each = from[p / 3][p % 3 * pitch + J];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) sum[p][v] += each * b[v];
  }
}

template <int Pixels, int Vectors>
__attribute__((noinline)) void convolve_pixels(const Windows &windows, const Line *taps, const Line *end, int64_t first,
                                               float *y) {
  constexpr int pointers = (Pixels + 2) / 3;
  const int64_t pitch = windows.stride * windows.width;
  V sum[Pixels][Vectors] = {};
  for (const Line *tap = taps; tap < end; tap++) {
    const float *filter = windows.filter + tap->place * windows.depth * Vectors * lanes, *from[pointers];
#pragma GCC unroll 4
    for (int i = 0; i < pointers; i++) from[i] = tap->from + (first + 3 * i) * pitch;
    for (int64_t left = windows.depth; left > 0; left -= 4) {
      add_products<0>(sum, from, pitch, filter);
      add_products<1>(sum, from, pitch, filter);
      add_products<2>(sum, from, pitch, filter);
      add_products<3>(sum, from, pitch, filter);
      filter += 4 * Vectors * lanes;
#pragma GCC unroll 4
      for (int i = 0; i < pointers; i++) from[i] += 4;
    }
  }
  y += first * windows.y_pitch;
#pragma GCC unroll 12
  for (int p = 0; p < Pixels; p++) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) store(y + p * windows.y_pitch + v * lanes, sum[p][v]);
  }
}

/** Adds the products of channel J of a line's pixels, each for all results that read it, and the filter's vectors for it. */
template <int J, int Pixels, int Taps, int Stride, bool Halves>
ALWAYS_INLINE void add_line(V (&sum)[Pixels], const float *from, const float *filter, int64_t filter_step) {
  V b[Taps];
#pragma GCC unroll 3
  for (int t = 0; t < Taps; t++) b[t] = load(filter + t * filter_step + J * lanes);
#pragma GCC unroll 24
  for (int column = 0; column < (Pixels - 1) * Stride + Taps; column++) {
    const float *at = from + column * lanes;
    const V each = Halves ? spread<J>(load(at)) : splat(at[J]);
#pragma GCC unroll 3
    for (int t = 0; t < Taps; t++) {
      const int first = column - t;
      if (first >= 0 && first % Stride == 0 && first / Stride < Pixels) sum[first / Stride] += each * b[t];
    }
  }
}

/** The same for blocks of one vector, where what is read of a line is loaded once for all results that read it. */
template <int Pixels, int Taps, int Stride, bool Halves>
__attribute__((noinline)) void convolve_lines(const Windows &windows, int64_t first, float *y) {
  const int64_t place_numbers = windows.depth * lanes, filter_step = windows.place_step * place_numbers;
  V sum[Pixels] = {};
  for (int64_t i = 0; i < windows.count; i++) {
    const float *from = windows.lines[i].from + first * Stride * lanes;
    const float *filter = windows.filter + windows.lines[i].place * place_numbers;
    if (Halves) {
      add_line<0, Pixels, Taps, Stride, Halves>(sum, from, filter, filter_step);
      add_line<1, Pixels, Taps, Stride, Halves>(sum, from, filter, filter_step);
      add_line<2, Pixels, Taps, Stride, Halves>(sum, from, filter, filter_step);
      add_line<3, Pixels, Taps, Stride, Halves>(sum, from, filter, filter_step);
      continue;
    }
    for (int64_t read = 0; read < lanes; read++) {
      add_line<0, Pixels, Taps, Stride, Halves>(sum, from + read, filter + read * lanes, filter_step);
    }
  }
  y += first * windows.y_pitch;
#pragma GCC unroll 12
  for (int p = 0; p < Pixels; p++) store(y + p * windows.y_pitch, sum[p]);
}

/** So many pixels as `count` says, one of 1 to `Pixels`, known to the compiler: what `convolve` is called with. */
template <int Pixels, class Convolve>
ALWAYS_INLINE void with_pixels(int64_t count, Convolve convolve) {
  if constexpr (Pixels > 1) {
    if (count < Pixels) return with_pixels<Pixels - 1>(count, convolve);
  }
  convolve(Number<Pixels>{});
}

/** `pixels` results in a row, in shares as equal as can be of what fits into registers. */
template <int Most, class Convolve>
ALWAYS_INLINE void for_each_share(const Windows &windows, int64_t pixels, Convolve convolve) {
  const int64_t shares = divide_up(pixels, Most);
  for (int64_t share = 0; share < shares; share++) {
    const int64_t first = pixels * share / shares, end = pixels * (share + 1) / shares;
    windows.ahead->ask();
    with_pixels<Most>(end - first, [&](auto count) VISIT { convolve(count, first); });
  }
}

template <int Vectors>
__attribute__((noinline)) void convolve_row(const Windows &windows, int64_t pixels, float *y) {
  Line taps[window], *end = taps;
  for (int64_t i = 0; i < windows.count; i++) {
    for (int64_t tap = 0; tap < windows.taps; tap++) {
      *end++ = {windows.lines[i].from + tap * windows.width, windows.lines[i].place + tap * windows.place_step};
    }
  }
  for_each_share<sums_at_once / Vectors>(windows, pixels, [&](auto count, int64_t first) VISIT {
    convolve_pixels<count.value, Vectors>(windows, taps, end, first, y);
  });
}

template <int Taps, int Stride, bool Halves>
__attribute__((noinline)) void convolve_row_of_lines(const Windows &windows, int64_t pixels, float *y) {
  for_each_share<line_sums>(windows, pixels, [&](auto count, int64_t first) VISIT {
    convolve_lines<count.value, Taps, Stride, Halves>(windows, first, y);
  });
}

template <bool Halves>
void convolve_vector(const Windows &windows, int64_t pixels, float *y) {
  if (windows.stride == 2) return convolve_row_of_lines<3, 2, Halves>(windows, pixels, y);
  if (windows.taps == 3) return convolve_row_of_lines<3, 1, Halves>(windows, pixels, y);
  if (windows.taps == 2) return convolve_row_of_lines<2, 1, Halves>(windows, pixels, y);
  return convolve_row_of_lines<1, 1, Halves>(windows, pixels, y);
}

/** One row of a block's results, or every `stride`th of them. */
void convolve_block(Windows windows, int64_t pixels, float *y) {
  if (windows.depth == half) return convolve_vector<true>(windows, pixels, y);
  if (windows.width == lanes) return convolve_vector<false>(windows, pixels, y);
  for (int64_t c = 0; c < windows.width;) {
    const int64_t vectors = vectors_from(c, windows.width);
    if (vectors == 2) convolve_row<2>(windows, pixels, y + c);
    else convolve_row<3>(windows, pixels, y + c);
    c += vectors * lanes;
    windows.filter += window * windows.depth * vectors * lanes;
  }
}

/**
 * Lays the filter out for the blocks of a set, [block][vectors][place][channel read][channel]: `turned`, for the gradient at
 * x, with its places from the last to the first.
 */
void lay_filter(const Grouped &op, const Plan &plan, const Range &blocks, bool turned, float *to) {
  const int64_t C = op.channels;
  for (int64_t block = blocks.first; block < blocks.end; block++) {
    for (int64_t c = 0; c < plan.width;) {
      const int64_t width = vectors_from(c, plan.width) * lanes, first = block * plan.width + c;
      for (int64_t place = 0; place < window; place++) {
        const float *from = op.filter + (turned ? window - 1 - place : place) * op.group * C;
        for (int64_t read = 0; read < op.group; read++, to += width) {
          if (!turned) {
            memcpy(to, from + read * C + first, width * sizeof(float));
            continue;
          }
          for (int64_t i = 0; i < width; i++) {
            const int64_t channel = first + i, within = channel % op.group;
            to[i] = from[within * C + channel - within + read];
          }
        }
      }
      c += width;
    }
  }
}

int64_t filter_numbers(const Grouped &op, const Plan &plan) {
  return plan.blocks_at_once() * window * op.group * plan.width;
}

void convolve_strip(const Grouped &op, const Plan &plan, const Range &blocks, const Strip &strip, const Copy &x,
                    const float *filter, float *y, Ahead &ahead) {
  for (int64_t block = 0; block < blocks.count(); block++, filter += window * op.group * plan.width) {
    const int64_t channel = (blocks.first + block) * plan.width;
    for (int64_t row = strip.y.first; row < strip.y.end; row++) {
      Windows windows = {{}, 0, side, 1, op.stride, op.group, plan.width, filter, op.channels, &ahead};
      for (int64_t i = 0; i < side; i++) {
        const int64_t from = row * op.stride - op.top + i;
        if (from >= 0 && from < op.height) windows.lines[windows.count++] = {x.pixel(block, from, -op.left), i * side};
      }
      convolve_block(windows, op.out_width, y + row * op.out_width * op.channels + channel);
    }
  }
}

/** The gradient at x: dy convolved with the filter turned round; of stride 2, for each second column apart. */
void convolve_back(const Grouped &op, const Plan &plan, const Range &blocks, const Strip &strip, const Copy &dy,
                   const float *filter, float *dx, Ahead &ahead) {
  const int64_t stride = op.stride;
  for (int64_t block = 0; block < blocks.count(); block++, filter += window * op.group * plan.width) {
    const int64_t channel = (blocks.first + block) * plan.width;
    for (int64_t row = strip.dx.first; row < strip.dx.end; row++) {
      for (int64_t column = 0; column < least(stride, op.width); column++) {
        // A window's columns that reach this one: the last of them reads the first column of dy.
        const int64_t last = side - 1 - (side - 1 - column - op.left + side * stride) % stride;
        const int64_t taps = last / stride + 1, place = side - 1 - last;
        Windows windows = {{}, 0, taps, stride, 1, op.group, plan.width, filter, stride * op.channels, &ahead};
        for (int64_t i = side - 1; i >= 0; i--) {
          const int64_t from = row + op.top - i;
          if (from < 0 || from % stride != 0 || from / stride >= op.out_height) continue;
          const float *at = dy.pixel(block, from / stride, (column + op.left - last) / stride);
          windows.lines[windows.count++] = {at, (side - 1 - i) * side + place};
        }
        convolve_block(windows, divide_up(op.width - column, stride),
                       dx + (row * op.width + column) * op.channels + channel);
      }
    }
  }
}

/** Adds the products of number J of a pixel's halves in each column of a window and the gradient. */
template <int J>
ALWAYS_INLINE void add_halves(V (&sum)[sums_at_once][1], const float *x, V dy) {
#pragma GCC unroll 3
  for (int j = 0; j < side; j++) sum[j * half + J][0] += spread<J>(load(x + j * lanes)) * dy;
}

/** What the sums of a filter's gradient are made of: `rows` x `columns` results, and what a row of their windows reads. */
struct Products {
  const float *x, *dy;
  int64_t rows, columns;
  int64_t x_line, x_pitch, dy_line, dy_pitch;
  int64_t y_pitch;  // from one of a window's numbers to the next, in the filter
  bool add;
  Ahead *ahead;
};

/** Of numbers of a window's row from x on, with so many vectors of dy; put at `to`, or added there. */
template <int Vectors, bool Halves>
__attribute__((noinline)) void sum_products(const Products &products, const float *x, const float *dy, float *to) {
  constexpr int rows = sums_at_once / Vectors;
  V sum[rows][Vectors] = {};
  for (int64_t row = 0; row < products.rows; row++, x += products.x_line, dy += products.dy_line) {
    const float *at = x, *gradient = dy;
    for (int64_t column = 0; column < products.columns; column++, at += products.x_pitch, gradient += products.dy_pitch) {
      V b[Vectors];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; v++) b[v] = load(gradient + v * lanes);
      if constexpr (Halves) {
        add_halves<0>(sum, at, b[0]);
        add_halves<1>(sum, at, b[0]);
        add_halves<2>(sum, at, b[0]);
        add_halves<3>(sum, at, b[0]);
      } else {
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
          const float each = at[r];
#pragma GCC unroll 4
          for (int v = 0; v < Vectors; v++) sum[r][v] += each * b[v];
        }
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) {
      float *each = to + r * products.y_pitch + v * lanes;
      store(each, products.add ? load(each) + sum[r][v] : sum[r][v]);
    }
  }
}

/** All numbers of a row of a window, of a block's channels. */
void sum_block(const Products &products, const Plan &plan, int64_t depth, float *to) {
  if (depth == half) {
    products.ahead->ask();
    return sum_products<1, true>(products, products.x, products.dy, to);
  }
  for (int64_t c = 0; c < plan.width;) {
    const int64_t vectors = vectors_from(c, plan.width), rows = sums_at_once / vectors;
    for (int64_t d = 0; d < side * depth; d += rows) {
      const float *x = products.x + d, *dy = products.dy + c;
      float *each = to + d * products.y_pitch + c;
      products.ahead->ask();
      if (vectors == 1) sum_products<1, false>(products, x, dy, each);
      else if (vectors == 2) sum_products<2, false>(products, x, dy, each);
      else sum_products<3, false>(products, x, dy, each);
    }
    c += vectors * lanes;
  }
}

/** The filter's gradient by a strip. */
void sum_strip(const Grouped &op, const Plan &plan, const Range &blocks, const Strip &strip, const Copy &x, const Copy &dy,
               float *sums, bool add, Ahead &ahead) {
  const int64_t C = op.channels;
  for (int64_t block = 0; block < blocks.count(); block++) {
    const int64_t channel = (blocks.first + block) * plan.width;
    for (int64_t i = 0; i < side; i++) {
      // The results that read a row of the image there.
      const int64_t first = most(strip.y.first, divide_up(most(0, op.top - i), op.stride));
      const int64_t end = least(strip.y.end, floor_divide(op.height - 1 + op.top - i, op.stride) + 1);
      Products products = {};
      products.rows = most(0, end - first), products.columns = op.out_width;
      if (products.rows > 0) {
        products.x = x.pixel(block, first * op.stride - op.top + i, -op.left), products.dy = dy.pixel(block, first, 0);
      }
      products.x_line = op.stride * x.line(), products.x_pitch = op.stride * x.width;
      products.dy_line = dy.line(), products.dy_pitch = dy.width;
      products.y_pitch = C, products.add = add, products.ahead = &ahead;
      sum_block(products, plan, op.group, sums + i * side * op.group * C + channel);
    }
  }
}

/** A task's part: a set of channels of some images' strips. */
struct Task {
  int64_t part;
  Range blocks, strips;

  Task(const Grouped &op, const Plan &plan, int64_t index) : part(index / plan.sets), blocks(plan.blocks_of(index % plan.sets)) {
    const int64_t all = op.images * plan.strips;
    strips = {all * part / plan.parts, all * (part + 1) / plan.parts};
  }

  Image image(const Plan &plan, const void *images, int64_t index, int64_t height, int64_t width, int64_t channels) const {
    const float *at = (const float *)images + index / plan.strips * height * width * channels;
    return {at, width, channels, {blocks.first * plan.width, blocks.end * plan.width}};
  }
};

/** The most rows that any strip has of what `rows` names. */
int64_t most_rows(const Grouped &op, const Plan &plan, Range Strip::*rows) {
  int64_t count = 0;
  for (int64_t index = 0; index < plan.strips; index++) count = most(count, (strip_of(op, plan.strips, index).*rows).count());
  return count;
}

void forward_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const Grouped &op = *work.op;
  const Plan &plan = *work.plan;
  const Task task(op, plan, index);
  Copy x = {nullptr, {}, columns_of_x(op), most_rows(op, plan, &Strip::x), plan.width};
  const int64_t numbers = plan.blocks_at_once() * x.block();
  x.at = (float *)room_of_thread((numbers + filter_numbers(op, plan)) * sizeof(float));
  float *filter = x.at + numbers;
  lay_filter(op, plan, task.blocks, false, filter);
  const auto x_of = [&](int64_t strip) { return task.image(plan, op.x, strip, op.height, op.width, op.channels); };
  const auto y_of = [&](int64_t strip) { return task.image(plan, op.y, strip, op.out_height, op.out_width, op.channels); };
  for (int64_t at = task.strips.first; at < task.strips.end; at++) {
    const Strip strip = strip_of(op, plan.strips, at % plan.strips);
    x.rows = strip.x;
    copy(x_of(at), nullptr, nullptr, x);
    Ahead ahead;
    if (at + 1 < task.strips.end) {
      const Strip next = strip_of(op, plan.strips, (at + 1) % plan.strips);
      ahead.add(x_of(at + 1), next.x);
      ahead.add(y_of(at + 1), next.y);
      ahead.share(task.blocks.count() * strip.y.count() * shares_of(plan, op.out_width));
    }
    convolve_strip(op, plan, task.blocks, strip, x, filter,
                   (float *)op.y + at / plan.strips * op.out_height * op.out_width * op.channels, ahead);
  }
}

void gradient_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const Grouped &op = *work.op;
  const Plan &plan = *work.plan;
  const Task task(op, plan, index);
  Copy x = {nullptr, {}, columns_of_x(op), most_rows(op, plan, &Strip::x), plan.width};
  Copy dy = {nullptr, {}, columns_of_dy(op), most_rows(op, plan, &Strip::dy), plan.width};
  const int64_t x_numbers = plan.blocks_at_once() * x.block(), dy_numbers = plan.blocks_at_once() * dy.block();
  const int64_t numbers = x_numbers + dy_numbers + filter_numbers(op, plan) + op.channels + lanes;
  x.at = (float *)room_of_thread(numbers * sizeof(float));
  dy.at = x.at + x_numbers;
  float *filter = dy.at + dy_numbers, *made = filter + filter_numbers(op, plan);
  lay_filter(op, plan, task.blocks, true, filter);
  float *sums = work.sums + task.part * window * op.group * op.channels;
  const auto x_of = [&](int64_t strip) { return task.image(plan, op.x, strip, op.height, op.width, op.channels); };
  const auto dx_of = [&](int64_t strip) { return task.image(plan, op.dx, strip, op.height, op.width, op.channels); };
  const auto dy_of = [&](int64_t strip) { return task.image(plan, op.dy, strip, op.out_height, op.out_width, op.channels); };
  for (int64_t at = task.strips.first; at < task.strips.end; at++) {
    const Strip strip = strip_of(op, plan.strips, at % plan.strips);
    x.rows = strip.x, dy.rows = strip.dy;
    copy(x_of(at), work.remaker, made, x);
    copy(dy_of(at), nullptr, nullptr, dy);
    Ahead ahead;
    if (at + 1 < task.strips.end) {
      const Strip next = strip_of(op, plan.strips, (at + 1) % plan.strips);
      ahead.add(x_of(at + 1), next.x);
      ahead.add(dy_of(at + 1), next.dy);
      ahead.add(dx_of(at + 1), next.dx);
      ahead.share(task.blocks.count() * (strip.dx.count() * shares_of(plan, op.width) + side * 4));
    }
    sum_strip(op, plan, task.blocks, strip, x, dy, sums, at > task.strips.first, ahead);
    convolve_back(op, plan, task.blocks, strip, dy, filter,
                  (float *)op.dx + at / plan.strips * op.height * op.width * op.channels, ahead);
  }
}

/** Numbers that a task adds up. */
constexpr int64_t numbers_in_task = 4096;

int64_t all_numbers(const Grouped &op) { return window * op.group * op.channels; }

/** Adds up the parts' sums. */
void add_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const int64_t all = all_numbers(*work.op), first = index * numbers_in_task;
  const float *sums = work.sums + first;
  for_each_vector(least(numbers_in_task, all - first), [&](int64_t at, int64_t count) VISIT {
    V sum = load_some(sums + at, count);
    for (int64_t part = 1; part < work.plan->parts; part++) sum += load_some(sums + part * all + at, count);
    store_some(work.op->dfilter + first + at, sum, count);
  });
}

void compute(const Grouped &op) {
  const Plan plan = plan_of(op);
  const Work work = {&op, &plan, nullptr, nullptr};
  parallel(plan.sets * plan.parts, forward_task, &work);
}

void gradients(const Grouped &op) {
  const Plan plan = plan_of(op);
  const Remaker<float> remaker = op.norm ? remaker_of<float>(*op.norm, op.channels) : Remaker<float>{};
  const Work work = {&op, &plan, op.norm ? &remaker : nullptr, plan.parts > 1 ? op.room : op.dfilter};
  parallel(plan.sets * plan.parts, gradient_task, &work);
  if (op.norm) release(remaker.constants);
  if (plan.parts > 1) parallel(divide_up(all_numbers(op), numbers_in_task), add_task, &work);
}

int64_t room(const Grouped &op) {
  const int64_t parts = plan_of(op).parts;
  return parts > 1 ? parts * all_numbers(op) : 0;
}

}  // namespace

extern const GroupedKernel grouped_avx2 = {compute, gradients, room};

}  // namespace deep_cnn

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
