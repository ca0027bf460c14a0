#include "resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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

}  // namespace

Size ResizedSize(Size size, int short_side) {
  const auto scaled = [short_side](int long_side, int short_length) {
    return static_cast<int>(static_cast<int64_t>(short_side) * long_side / short_length);
  };
  return size.width <= size.height ? Size{short_side, scaled(size.height, size.width)}
                                   : Size{scaled(size.width, size.height), short_side};
}

int CropOffset(int length, int crop) {
  const int twice = length - crop;
  const int floor = twice / 2;
  return twice % 2 == 0 || floor % 2 == 0 ? floor : floor + 1;
}

void ResizeAndCrop(const uint8_t* pixels, Size size, int short_side, int crop, Filter filter, uint8_t* out) {
  const Size target = ResizedSize(size, short_side);
  const int left = CropOffset(target.width, crop);
  const int top = CropOffset(target.height, crop);
  const size_t row_bytes = static_cast<size_t>(size.width) * kChannels;
  const size_t out_row_bytes = static_cast<size_t>(crop) * kChannels;
  if (target.width == size.width && target.height == size.height) {
    for (int y = 0; y < crop; y++) {
      std::memcpy(out + y * out_row_bytes, pixels + (top + y) * row_bytes + left * kChannels, out_row_bytes);
    }
    return;
  }

  const std::vector<Window> columns = Windows(size.width, target.width, left, crop, filter);
  const std::vector<Window> rows = Windows(size.height, target.height, top, crop, filter);
  const int first_row = rows.front().first;
  int end_row = 0;
  for (const Window& row : rows) end_row = std::max(end_row, row.first + static_cast<int>(row.weights.size()));

  std::vector<uint8_t> narrowed((end_row - first_row) * out_row_bytes);
  for (int y = first_row; y < end_row; y++) {
    const uint8_t* source = pixels + y * row_bytes;
    uint8_t* narrow = narrowed.data() + (y - first_row) * out_row_bytes;
    for (int x = 0; x < crop; x++) {
      const Window& window = columns[x];
      const uint8_t* from = source + window.first * kChannels;
      int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (const int32_t weight : window.weights) {
        red += from[0] * weight;
        green += from[1] * weight;
        blue += from[2] * weight;
        from += kChannels;
      }
      narrow[0] = Clip(red);
      narrow[1] = Clip(green);
      narrow[2] = Clip(blue);
      narrow += kChannels;
    }
  }

  std::vector<int32_t> sums(out_row_bytes);
  for (int y = 0; y < crop; y++) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const uint8_t* from = narrowed.data() + (rows[y].first - first_row) * out_row_bytes;
    for (const int32_t weight : rows[y].weights) {
      for (size_t i = 0; i < out_row_bytes; i++) sums[i] += from[i] * weight;
      from += out_row_bytes;
    }
    uint8_t* to = out + y * out_row_bytes;
    for (size_t i = 0; i < out_row_bytes; i++) to[i] = Clip(sums[i]);
  }
}

}  // namespace deep_cnn
