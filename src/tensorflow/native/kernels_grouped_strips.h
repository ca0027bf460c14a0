// How a grouped convolution is divided, and what a task copies and asks memory for.
#pragma once

#include "kernels_normalise.h"

namespace deep_cnn {
namespace {

/** Pixels of a window's side, and of a window. */
constexpr int64_t side = 3, window = side * side;

/** Channels that a task copies at a time, whole lines of memory; numbers that its strip may have, to stay in the second cache. */
constexpr int64_t most_channels = 64, fewest_channels = 32, strip_numbers = 65536;

/** The fewest rows of results in a strip, as far as images have them; a strip of fewer copies its neighbours' rows too often. */
constexpr int64_t fewest_rows = 7;

constexpr int64_t enough_tasks = 32, line_numbers = 16;

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

}  // namespace
}  // namespace deep_cnn
