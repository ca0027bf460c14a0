#include "resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace deep_cnn {
namespace {

constexpr int kChannels = 3;
// 8 bits of the pixel, 2 bits of room for overshooting filters, the rest for the weight.
constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);

uint8_t Clip(int32_t sum) { return static_cast<uint8_t>(std::min(255, std::max(0, sum >> kPrecisionBits))); }

double Support(Filter filter) { return filter == Filter::kBicubic ? 2.0 : 1.0; }

// Keys' cubic with a = -0.5, or the triangle.
double Weight(Filter filter, double x) {
  x = std::abs(x);
  if (filter == Filter::kBilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// The source pixels that one output pixel is made of.
struct Window {
  int first;
  std::vector<int32_t> weights;
};

std::vector<Window> Windows(int source, int target, int start, int count, Filter filter) {
  const double scale = static_cast<double>(source) / target;
  const double filter_scale = std::max(scale, 1.0);
  const double support = Support(filter) * filter_scale;
  // A product with the inverse, as Pillow has it: a quotient rounds differently.
  const double inverse_scale = 1.0 / filter_scale;
  std::vector<Window> windows(count);
  for (int i = 0; i < count; i++) {
    const double centre = (start + i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int end = std::min(source, static_cast<int>(centre + support + 0.5));
    std::vector<double> shares(end - first);
    double sum = 0;
    for (int j = 0; j < end - first; j++) {
      shares[j] = Weight(filter, (first + j - centre + 0.5) * inverse_scale);
      sum += shares[j];
    }
    windows[i].first = first;
    windows[i].weights.resize(end - first);
    for (int j = 0; j < end - first; j++) {
      const double fixed = (sum != 0 ? shares[j] / sum : shares[j]) * (1 << kPrecisionBits);
      windows[i].weights[j] = static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
  }
  return windows;
}

// The source pixels that a row of windows needs: from the first to before the end.
struct Span {
  int first;
  int end;
};

Span SpanOf(const std::vector<Window>& windows) {
  Span span{windows.front().first, 0};
  for (const Window& window : windows) {
    span.first = std::min(span.first, window.first);
    span.end = std::max(span.end, window.first + static_cast<int>(window.weights.size()));
  }
  return span;
}

// Makes `out`, [count, windows.size(), 3], of `count` rows that lie `stride` bytes apart.
void ResampleAcross(const uint8_t* rows, size_t stride, int count, const std::vector<Window>& windows, uint8_t* out) {
  for (int y = 0; y < count; y++, rows += stride) {
    for (const Window& window : windows) {
      const uint8_t* from = rows + window.first * kChannels;
      int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (const int32_t weight : window.weights) {
        red += from[0] * weight;
        green += from[1] * weight;
        blue += from[2] * weight;
        from += kChannels;
      }
      out[0] = Clip(red);
      out[1] = Clip(green);
      out[2] = Clip(blue);
      out += kChannels;
    }
  }
}

// Adds to `sums`, [windows.size(), width], what `count` rows of `width` bytes, `stride` bytes apart, give to each window;
// the first of them is row `first`.
void AddDown(const uint8_t* rows, size_t stride, int first, int count, size_t width, const std::vector<Window>& windows,
             int32_t* sums) {
  for (const Window& window : windows) {
    const int window_end = window.first + static_cast<int>(window.weights.size());
    const int end = std::min(first + count, window_end);
    for (int row = std::max(first, window.first); row < end; row++) {
      const int32_t weight = window.weights[row - window.first];
      const uint8_t* from = rows + (row - first) * stride;
      for (size_t i = 0; i < width; i++) sums[i] += from[i] * weight;
    }
    sums += width;
  }
}

// Makes `out`, [windows.size(), width] bytes, of rows of `width` bytes that lie `stride` bytes apart.
void ResampleDown(const uint8_t* rows, size_t stride, size_t width, const std::vector<Window>& windows, uint8_t* out) {
  std::vector<int32_t> sums(width);
  for (const Window& window : windows) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const uint8_t* from = rows + window.first * stride;
    for (const int32_t weight : window.weights) {
      for (size_t i = 0; i < width; i++) sums[i] += from[i] * weight;
      from += stride;
    }
    for (size_t i = 0; i < width; i++) out[i] = Clip(sums[i]);
    out += width;
  }
}

// Moves windows by a number of pixels.
void Shift(std::vector<Window>* windows, int by) {
  for (Window& window : *windows) window.first += by;
}

// Lets windows count from the other end of `length` pixels.
void Mirror(std::vector<Window>* windows, int length) {
  for (Window& window : *windows) {
    window.first = length - window.first - static_cast<int>(window.weights.size());
    std::reverse(window.weights.begin(), window.weights.end());
  }
}

// Exchanges the rows and columns of a square.
void Transpose(uint8_t* square, int side) {
  for (int y = 0; y < side; y++) {
    for (int x = 0; x < y; x++) {
      uint8_t* const here = square + (y * side + x) * kChannels;
      std::swap_ranges(here, here + kChannels, square + (x * side + y) * kChannels);
    }
  }
}

// Pillow 13 begins with the rows where more than twice as many of them vanish as columns do.
bool RowsFirst(const Box& source, Size target) {
  return source.height - target.height > 2 * std::max(0, source.width - target.width);
}

// An EXIF orientation: mirror what is stored left to right or top to bottom, or both, then exchange rows and columns.
struct Turn {
  bool left_right;
  bool top_bottom;
  bool transpose;
};

Turn TurnOf(int orientation) {
  const auto is = [orientation](int a, int b, int c, int d) {
    return orientation == a || orientation == b || orientation == c || orientation == d;
  };
  return {is(2, 3, 7, 8), is(3, 4, 6, 7), is(5, 6, 7, 8)};
}

// How a view is made of an image as it is stored: the windows of the turned image are brought to where its pixels are,
// so that nothing needs turning but the square in the end.
struct Passes {
  std::vector<Window> columns;
  std::vector<Window> rows;
  bool rows_first;
  bool transpose;
};

Passes PassesOf(Size stored, int orientation, const View& view, Filter filter) {
  const auto& [source, target, left, top, crop, flip] = view;
  const Turn turn = TurnOf(orientation);
  Passes passes{Windows(source.width, target.width, left, crop, filter),
                Windows(source.height, target.height, top, crop, filter), RowsFirst(source, target) != turn.transpose,
                turn.transpose};
  if (flip) std::reverse(passes.columns.begin(), passes.columns.end());
  Shift(&passes.columns, source.left);
  Shift(&passes.rows, source.top);
  if (turn.transpose) std::swap(passes.columns, passes.rows);
  if (turn.left_right) Mirror(&passes.columns, stored.width);
  if (turn.top_bottom) Mirror(&passes.rows, stored.height);
  return passes;
}

}  // namespace

Size TurnedSize(Size stored, int orientation) {
  return TurnOf(orientation).transpose ? Size{stored.height, stored.width} : stored;
}

void Resample(const uint8_t* pixels, Size stored, int orientation, const View& view, Filter filter, uint8_t* out) {
  const auto& [source, target, left, top, crop, flip] = view;
  const size_t stride = static_cast<size_t>(stored.width) * kChannels;
  const size_t out_stride = static_cast<size_t>(crop) * kChannels;
  if (target.width == source.width && target.height == source.height && !flip && orientation == 1) {
    const uint8_t* corner = pixels + (source.top + top) * stride + (source.left + left) * kChannels;
    for (int y = 0; y < crop; y++) std::memcpy(out + y * out_stride, corner + y * stride, out_stride);
    return;
  }

  Passes passes = PassesOf(stored, orientation, view, filter);
  if (passes.rows_first) {
    const Span span = SpanOf(passes.columns);
    Shift(&passes.columns, -span.first);
    const size_t width = static_cast<size_t>(span.end - span.first) * kChannels;
    std::vector<uint8_t> between(crop * width);
    ResampleDown(pixels + span.first * kChannels, stride, width, passes.rows, between.data());
    ResampleAcross(between.data(), width, crop, passes.columns, out);
  } else {
    const Span span = SpanOf(passes.rows);
    Shift(&passes.rows, -span.first);
    std::vector<uint8_t> between((span.end - span.first) * out_stride);
    ResampleAcross(pixels + span.first * stride, stride, span.end - span.first, passes.columns, between.data());
    ResampleDown(between.data(), out_stride, out_stride, passes.rows, out);
  }
  if (passes.transpose) Transpose(out, crop);
}

size_t ScratchBytes(Size stored, int orientation, const View& view, Filter filter) {
  const Passes passes = PassesOf(stored, orientation, view, filter);
  const Span span = SpanOf(passes.rows_first ? passes.columns : passes.rows);
  const size_t pixels = static_cast<size_t>(view.crop) * (span.end - span.first);
  return pixels * kChannels * (passes.rows_first ? sizeof(int32_t) : 1);
}

void ResampleStrip(const uint8_t* strip, int first, int count, Size stored, int orientation, const View& view,
                   Filter filter, uint8_t* scratch) {
  const size_t stride = static_cast<size_t>(stored.width) * kChannels;
  const Passes passes = PassesOf(stored, orientation, view, filter);
  if (passes.rows_first) {
    const Span span = SpanOf(passes.columns);
    const size_t width = static_cast<size_t>(span.end - span.first) * kChannels;
    AddDown(strip + span.first * kChannels, stride, first, count, width, passes.rows,
            reinterpret_cast<int32_t*>(scratch));
  } else {
    const Span span = SpanOf(passes.rows);
    const int begin = std::max(first, span.first);
    const int rows = std::min(first + count, span.end) - begin;
    if (rows <= 0) return;
    ResampleAcross(strip + (begin - first) * stride, stride, rows, passes.columns,
                   scratch + static_cast<size_t>(begin - span.first) * view.crop * kChannels);
  }
}

void FinishStrips(const uint8_t* scratch, Size stored, int orientation, const View& view, Filter filter,
                  uint8_t* out) {
  const size_t out_stride = static_cast<size_t>(view.crop) * kChannels;
  Passes passes = PassesOf(stored, orientation, view, filter);
  if (passes.rows_first) {
    const Span span = SpanOf(passes.columns);
    Shift(&passes.columns, -span.first);
    const size_t width = static_cast<size_t>(span.end - span.first) * kChannels;
    const int32_t* sums = reinterpret_cast<const int32_t*>(scratch);
    std::vector<uint8_t> row(width);
    for (int y = 0; y < view.crop; y++, sums += width) {
      for (size_t i = 0; i < width; i++) row[i] = Clip(sums[i] + kHalf);
      ResampleAcross(row.data(), width, 1, passes.columns, out + y * out_stride);
    }
  } else {
    const Span span = SpanOf(passes.rows);
    Shift(&passes.rows, -span.first);
    ResampleDown(scratch, out_stride, out_stride, passes.rows, out);
  }
  if (passes.transpose) Transpose(out, view.crop);
}

}  // namespace deep_cnn
