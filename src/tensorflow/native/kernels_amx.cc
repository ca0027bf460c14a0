// The gradient of a convolution's filter in bfloat16, on processors that multiply matrices (AMX), in float32 sums.
//
// dfilter[kh, kw, c, k] = Σ x[n, oh s + kh - top, ow s + kw - left, c] dy[n, oh, ow, k], a product of matrices for each
// place of the window, over the pixels of all images. These are counted in one row, of a grid with so many empty columns and
// rows between neighbours that every place of the window is a shift in that row (x and dy are zero in what is empty): x is
// turned, a row of pixels for each channel, once for all places. A stride of 2 makes four images of x, of its even and odd
// rows and columns.
#include "kernels.h"

#ifdef DEEP_CNN_BFLOAT
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target(AVX512 ",avx512bf16,amx-tile,amx-bf16"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")
#endif
#define VECTOR_BYTES 64
#include "kernels_vector.h"

namespace deep_cnn {
namespace {

/** Numbers in a row of a tile of sums; a tile of factors has twice as many, of two pixels each. */
constexpr int64_t tile = 16;
/** Pixels that are multiplied at a time. */
constexpr int64_t depth = 2 * tile;
/** Pixels whose factors stay in the first cache. */
constexpr int64_t near_pixels = 8 * depth;
/** The fewest pixels that are worth sums of their own, to be added up at the end. */
constexpr int64_t fewest_pixels = 1600;

inline int64_t down_by(int64_t a, int64_t by) { return a >= 0 ? a / by : -((by - 1 - a) / by); }

/** Along one axis: where the windows lie. */
struct Axis {
  int64_t length, out, kernel, stride, before;
  int64_t shift(int64_t k) const { return down_by(k - before, stride); }
  int64_t phase(int64_t k) const { return k - before - shift(k) * stride; }
  /** Pixels of the image that a phase has. */
  int64_t of_phase(int64_t phase) const { return (length - phase + stride - 1) / stride; }
  /** Of the grid. */
  int64_t pitch() const {
    const int64_t first = least(0, shift(0)), last = most(0, shift(kernel - 1));
    return most(least(of_phase(0), out + last) - first, out + last);
  }
};

struct Plan {
  Axis rows, columns;
  int64_t images, height, width, pixel;  // of x, in memory: `pixel` numbers from one to the next
  int64_t channels, outputs;
  int64_t pitch, image_pixels, pixels;   // of the grid; pixels of all images, and empty ones to a multiple of `depth`
  int64_t before, after;                 // how far shifts reach, in pixels, multiples of `depth`
  int64_t phases;                        // that are read, at most stride²
  int phase_row[4], phase_column[4];
  int64_t channel_slab, output_slab;     // of one task, multiples of two tiles
  int64_t channel_slabs, output_slabs, parts, part_pixels;
  int64_t block;                         // pixels that are turned at a time
  int64_t sums;                          // numbers of one task
  int64_t places() const { return rows.kernel * columns.kernel; }
};

Plan plan_of(const FilterGrad &op) {
  Plan p = {};
  // Windows of few channels lie one pixel beside the next: their columns are as good as channels.
  const bool flat = op.left == 0 && op.channels * op.kernel_width <= 64 && op.kernel_width > 1 &&
                    (op.out_width - 1) * op.stride + op.kernel_width <= op.width;
  const int64_t kernel_width = flat ? 1 : op.kernel_width;
  p.rows = {op.height, op.out_height, op.kernel_height, op.stride, op.top};
  p.columns = {flat ? (op.out_width - 1) * op.stride + 1 : op.width, op.out_width, kernel_width, op.stride, op.left};
  p.images = op.images, p.height = op.height, p.width = op.width, p.pixel = op.channels;
  p.channels = flat ? op.channels * op.kernel_width : op.channels, p.outputs = op.outputs;
  p.pitch = p.columns.pitch(), p.image_pixels = p.rows.pitch() * p.pitch;
  p.pixels = round_up(p.images * p.image_pixels, depth);
  const auto reach = [&](int64_t row, int64_t column) { return p.rows.shift(row) * p.pitch + p.columns.shift(column); };
  p.before = round_up(most(0, -reach(0, 0)), depth);
  p.after = round_up(most(0, reach(op.kernel_height - 1, kernel_width - 1)), depth);
  for (int64_t row = 0; row < op.stride; row++) {
    for (int64_t column = 0; column < op.stride; column++) {
      bool read = false;
      for (int64_t kh = 0; kh < op.kernel_height; kh++) {
        for (int64_t kw = 0; kw < kernel_width; kw++) read |= p.rows.phase(kh) == row && p.columns.phase(kw) == column;
      }
      if (!read) continue;
      p.phase_row[p.phases] = (int)row, p.phase_column[p.phases] = (int)column;
      p.phases++;
    }
  }
  // Sums of a task take some hundred kB; there are more tasks as far as each still has many pixels.
  const int64_t c = round_up(p.channels, tile), k = round_up(p.outputs, tile);
  const int64_t most_sums = 160 << 10;
  p.channel_slab = c, p.output_slab = k;
  while (p.places() * p.channel_slab * p.output_slab > most_sums && (p.channel_slab > 2 * tile || p.output_slab > 2 * tile)) {
    int64_t &longer = p.channel_slab >= p.output_slab ? p.channel_slab : p.output_slab;
    longer = round_up((longer + 1) / 2, 2 * tile);
  }
  p.channel_slabs = (c + p.channel_slab - 1) / p.channel_slab;
  p.output_slabs = (k + p.output_slab - 1) / p.output_slab;
  p.sums = p.places() * p.channel_slab * p.output_slab;
  const int64_t slabs = p.channel_slabs * p.output_slabs;
  const int64_t parts = most(1, least(least(64 / slabs, p.pixels / fewest_pixels), (4 << 20) / (slabs * p.sums)));
  p.part_pixels = round_up((p.pixels + parts - 1) / parts, depth);
  p.parts = (p.pixels + p.part_pixels - 1) / p.part_pixels;
  const int64_t wide = p.channel_slab * p.phases + p.output_slab;
  p.block = least(p.part_pixels, most(near_pixels, (300 << 10) / wide / near_pixels * near_pixels));
  return p;
}

/** bfloat16 numbers of a row of pixels in turned x: not a power of two, so that rows lie in different parts of a cache. */
int64_t row_of(const Plan &p) {
  const int64_t numbers = p.before + p.block + p.after;
  return numbers / depth % 2 == 0 ? numbers + depth : numbers;
}

int64_t x_numbers(const Plan &p) { return p.phases * p.channel_slab * row_of(p); }
int64_t scratch_bytes(const Plan &p) { return 2 * (x_numbers(p) + p.block * p.output_slab); }

const uint16_t zeros[depth] = {};

/** Walks along the grid. */
struct Place {
  const Plan &p;
  int64_t image, row, column;
  Place(const Plan &p, int64_t pixel) : p(p) {
    image = down_by(pixel, p.image_pixels);
    const int64_t left = pixel - image * p.image_pixels;
    row = left / p.pitch, column = left % p.pitch;
  }
  void next() {
    if (++column < p.pitch) return;
    column = 0;
    if (++row * p.pitch < p.image_pixels) return;
    row = 0, image++;
  }
};

/** Images as they lie in memory, pixel by pixel of the grid: how many numbers it is from one to the next. */
struct View {
  const uint16_t *numbers;
  int64_t images, rows, columns;
  int64_t to_image, to_row, to_column;

  /** The channels at a place, or null where it is empty. */
  const uint16_t *at(const Place &place) const {
    const bool real = place.image >= 0 && place.image < images && place.row < rows && place.column < columns;
    return real ? numbers + place.image * to_image + place.row * to_row + place.column * to_column : nullptr;
  }
};

/** One phase of x, from a channel on. */
View view_of_x(const Plan &p, const void *x, int phase, int64_t channel) {
  const int64_t row = p.phase_row[phase], column = p.phase_column[phase], line = p.width * p.pixel;
  const uint16_t *first = (const uint16_t *)x + row * line + column * p.pixel + channel;
  return {first,           p.images, p.rows.of_phase(row), p.columns.of_phase(column),
          p.height * line, line * p.rows.stride, p.pixel * p.columns.stride};
}

/** dy, from an output on. */
View view_of_dy(const Plan &p, const void *dy, int64_t output) {
  const int64_t line = p.columns.out * p.outputs;
  return {(const uint16_t *)dy + output, p.images, p.rows.out, p.columns.out, p.rows.out * line, line, p.outputs};
}

inline __m512i pair_of(const uint16_t *first, const uint16_t *second, __mmask16 mask) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, first));
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, second));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/** Two vectors of four quarters each: the even quarters of both, and the odd ones. */
ALWAYS_INLINE void split_quarters(const __m512i *from, __m512i *to, int a, int b) {
  to[a] = _mm512_shuffle_i32x4(from[a], from[b], 0x88);
  to[b] = _mm512_shuffle_i32x4(from[a], from[b], 0xdd);
}

inline void transpose(__m512i *v) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) split_quarters(v, t, i, i + 4), split_quarters(v, t, i + 8, i + 12);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) split_quarters(t, v, i, i + 8), split_quarters(t, v, i + 4, i + 12);
}

inline __mmask16 mask_of(int64_t count) { return (__mmask16)(count >= 16 ? 0xffff : (1u << count) - 1); }

/** Turns `pixels` pixels of x from `from` on, of `channels` channels. */
void turn(const Plan &p, const View &x, int64_t channels, int64_t from, int64_t pixels, uint16_t *to, int64_t row_numbers) {
  Place place(p, from);
  for (int64_t pixel = 0; pixel < pixels; pixel += depth, to += depth) {
    const uint16_t *source[depth];
    for (int64_t i = 0; i < depth; i++, place.next()) source[i] = x.at(place);
    for (int64_t c = 0; c < channels; c += tile) {
      const __mmask16 mask = mask_of(channels - c);
      __m512i v[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; i++) {
        const uint16_t *a = source[2 * i], *b = source[2 * i + 1];
        v[i] = pair_of(a ? a + c : zeros, b ? b + c : zeros, mask);
      }
      transpose(v);
#pragma GCC unroll 16
      for (int i = 0; i < 16; i++) _mm512_store_si512(to + (c + i) * row_numbers, v[i]);
    }
  }
}

/** Lays two pixels of dy side by side, tile after tile of outputs: [outputs / 16][pixels / 2][16][2]. */
void pair(const Plan &p, const View &dy, int64_t outputs, int64_t from, int64_t pixels, uint16_t *to) {
  Place place(p, from);
  for (int64_t pixel = 0; pixel < pixels; pixel += 2, to += 2 * tile) {
    const uint16_t *a = dy.at(place);
    place.next();
    const uint16_t *b = dy.at(place);
    place.next();
    for (int64_t k = 0; k < outputs; k += tile) {
      const __m512i v = pair_of(a ? a + k : zeros, b ? b + k : zeros, mask_of(outputs - k));
      _mm512_store_si512(to + k * pixels, v);
    }
  }
}

/** Sums of M x N tiles move on by `pixels` pixels; tiles of sums lie one after the other, `sums_row` numbers to a row of them. */
template <int M, int N>
inline void multiply(float *sums, int64_t sums_row, const uint16_t *x, int64_t row_numbers, const uint16_t *dy,
                     int64_t dy_tile, int64_t pixels) {
  const int64_t x_row = row_numbers * 2;
  float *second = sums + sums_row;
  _tile_loadd(0, sums, 64);
  if (N > 1) _tile_loadd(1, sums + tile * tile, 64);
  if (M > 1) _tile_loadd(2, second, 64);
  if (M > 1 && N > 1) _tile_loadd(3, second + tile * tile, 64);
  for (int64_t pixel = 0; pixel < pixels; pixel += depth) {
    _tile_loadd(4, x + pixel, x_row);
    _tile_loadd(6, dy + pixel * tile, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (N > 1) {
      _tile_loadd(7, dy + dy_tile + pixel * tile, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if (M > 1) {
      _tile_loadd(5, x + tile * row_numbers + pixel, x_row);
      _tile_dpbf16ps(2, 5, 6);
      if (N > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, 64);
  if (N > 1) _tile_stored(1, sums + tile * tile, 64);
  if (M > 1) _tile_stored(2, second, 64);
  if (M > 1 && N > 1) _tile_stored(3, second + tile * tile, 64);
}

/** Sums of all places of the window move on by a block of `pixels` pixels, of one task's channels and outputs. */
void multiply_block(const Plan &p, const uint16_t *turned, const uint16_t *pairs, int64_t channels, int64_t outputs,
                    int64_t pixels, float *sums) {
  const int64_t row_numbers = row_of(p), sums_row = p.output_slab * tile, dy_tile = tile * pixels;
  for (int64_t near = 0; near < pixels; near += near_pixels) {
    const int64_t count = least(near_pixels, pixels - near);
    for (int64_t c = 0; c < channels; c += 2 * tile) {
      for (int64_t place = 0; place < p.places(); place++) {
        const int64_t kh = place / p.columns.kernel, kw = place % p.columns.kernel;
        int phase = 0;
        while (p.phase_row[phase] != p.rows.phase(kh) || p.phase_column[phase] != p.columns.phase(kw)) phase++;
        const int64_t shift = p.rows.shift(kh) * p.pitch + p.columns.shift(kw);
        const uint16_t *x = turned + (phase * p.channel_slab + c) * row_numbers + p.before + near + shift;
        for (int64_t k = 0; k < outputs; k += 2 * tile) {
          float *to = sums + place * p.channel_slab * p.output_slab + c * p.output_slab + k * tile;
          const uint16_t *dy = pairs + k * pixels + near * tile;
          const bool two = c + tile < channels, wide = k + tile < outputs;
          if (two && wide) multiply<2, 2>(to, sums_row, x, row_numbers, dy, dy_tile, count);
          else if (two) multiply<2, 1>(to, sums_row, x, row_numbers, dy, dy_tile, count);
          else if (wide) multiply<1, 2>(to, sums_row, x, row_numbers, dy, dy_tile, count);
          else multiply<1, 1>(to, sums_row, x, row_numbers, dy, dy_tile, count);
        }
      }
    }
  }
}

struct Work {
  const FilterGrad *op;
  const Plan *plan;
  float *sums;  // of each task
};

struct alignas(64) TileConfig {
  uint8_t palette, start, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
};

void filter_grad_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const Plan &p = *work.plan;
  const int64_t part = index % p.parts, slab = index / p.parts;
  const int64_t c0 = slab % p.channel_slabs * p.channel_slab, k0 = slab / p.channel_slabs * p.output_slab;
  const int64_t channels = least(p.channel_slab, p.channels - c0), outputs = least(p.output_slab, p.outputs - k0);
  const int64_t first = part * p.part_pixels, last = least(p.pixels, first + p.part_pixels);
  float *sums = work.sums + index * p.sums;
  memset(sums, 0, p.sums * sizeof(float));
  const int64_t row_numbers = row_of(p);
  uint16_t *turned = (uint16_t *)room_of_thread(scratch_bytes(p)), *pairs = turned + x_numbers(p);

  // Whoever else multiplies on this thread finds its own shapes of tiles again.
  TileConfig before, config = {};
  config.palette = 1;
  for (int i = 0; i < 8; i++) config.bytes[i] = 64, config.rows[i] = tile;
  _tile_storeconfig(&before);
  _tile_loadconfig(&config);
  for (int64_t from = first; from < last; from += p.block) {
    const int64_t pixels = least(p.block, last - from);
    for (int phase = 0; phase < p.phases; phase++) {
      turn(p, view_of_x(p, work.op->x, phase, c0), channels, from - p.before, p.before + pixels + p.after,
           turned + phase * p.channel_slab * row_numbers, row_numbers);
    }
    pair(p, view_of_dy(p, work.op->dy, k0), outputs, from, pixels, pairs);
    multiply_block(p, turned, pairs, channels, outputs, pixels, sums);
  }
  _tile_loadconfig(&before);
}

/** One row of tiles of a place: adds up the parts and writes the filter's numbers. */
void add_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const Plan &p = *work.plan;
  const int64_t rows = (p.channels + tile - 1) / tile;
  const int64_t place = index / rows, c = index % rows * tile;
  const int64_t channel_slab = c / p.channel_slab;
  for (int64_t k = 0; k < p.outputs; k += tile) {
    const int64_t slab = k / p.output_slab * p.channel_slabs + channel_slab;
    const float *from = work.sums + slab * p.parts * p.sums + place * p.channel_slab * p.output_slab +
                        c % p.channel_slab * p.output_slab + k % p.output_slab * tile;
    const int64_t count = least(tile, p.channels - c);
    const __mmask16 mask = mask_of(p.outputs - k);
    for (int64_t i = 0; i < count; i++) {
      __m512 total = _mm512_load_ps(from + i * tile);
      for (int64_t part = 1; part < p.parts; part++) total = _mm512_add_ps(total, _mm512_load_ps(from + part * p.sums + i * tile));
      _mm512_mask_storeu_ps(work.op->dfilter + (place * p.channels + c + i) * p.outputs + k, mask, total);
    }
  }
}

void filter_grad(const FilterGrad &op) {
  const Plan p = plan_of(op);
  const Work work = {&op, &p, op.room};
  const int64_t tasks = p.channel_slabs * p.output_slabs * p.parts;
  parallel(tasks, filter_grad_task, &work);
  parallel(p.places() * ((p.channels + tile - 1) / tile), add_task, &work);
}

int64_t filter_grad_room(const FilterGrad &op) {
  const Plan p = plan_of(op);
  return p.channel_slabs * p.output_slabs * p.parts * p.sums;
}

}  // namespace

extern const FilterGradKernel filter_grad_amx = {filter_grad, filter_grad_room};

}  // namespace deep_cnn

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
