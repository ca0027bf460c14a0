#include "augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace deep_cnn {
namespace {

constexpr int kChannels = 3;

using Table = std::array<uint8_t, 256>;
using Histogram = std::array<int, 256>;

struct Square {
  uint8_t* bytes;
  int side;
  int pixels() const { return side * side; }
};

// ITU-R 601 luma in 16 fractional bits.
uint8_t Grey(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

// `degenerate` at a factor of 0, `value` at 1; in single precision and truncated, as Pillow has it.
uint8_t Blend(uint8_t degenerate, uint8_t value, float factor) {
  const float blended = static_cast<float>(degenerate) + factor * static_cast<float>(value - degenerate);
  return static_cast<uint8_t>(std::min(255.0f, std::max(0.0f, blended)));
}

// Replaces each channel's values by its own table's.
template <typename MakeTable>
void MapChannels(const Square& square, MakeTable make_table) {
  for (int channel = 0; channel < kChannels; channel++) {
    Histogram histogram{};
    uint8_t* const first = square.bytes + channel;
    for (int i = 0; i < square.pixels(); i++) histogram[first[i * kChannels]]++;
    const Table table = make_table(histogram);
    for (int i = 0; i < square.pixels(); i++) first[i * kChannels] = table[first[i * kChannels]];
  }
}

// Replaces all values by one table's.
template <typename Map>
void MapValues(const Square& square, Map map) {
  Table table;
  for (int value = 0; value < 256; value++) table[value] = map(value);
  for (int i = 0; i < square.pixels() * kChannels; i++) square.bytes[i] = table[square.bytes[i]];
}

void Brightness(const Square& square, float factor) {
  MapValues(square, [factor](int value) { return Blend(0, value, factor); });
}

void Color(const Square& square, float factor) {
  uint8_t* rgb = square.bytes;
  for (int i = 0; i < square.pixels(); i++, rgb += kChannels) {
    const uint8_t grey = Grey(rgb);
    for (int channel = 0; channel < kChannels; channel++) rgb[channel] = Blend(grey, rgb[channel], factor);
  }
}

void Contrast(const Square& square, float factor) {
  int64_t sum = 0;
  for (int i = 0; i < square.pixels(); i++) sum += Grey(square.bytes + i * kChannels);
  const auto mean = static_cast<uint8_t>(static_cast<double>(sum) / square.pixels() + 0.5);
  MapValues(square, [mean, factor](int value) { return Blend(mean, value, factor); });
}

// Against a 3 by 3 mean in which the centre counts five times. The outermost pixels stay.
void Sharpness(const Square& square, float factor) {
  const int stride = square.side * kChannels;
  const std::vector<uint8_t> source(square.bytes, square.bytes + square.side * stride);
  for (int y = 1; y < square.side - 1; y++) {
    for (int i = y * stride + kChannels; i < (y + 1) * stride - kChannels; i++) {
      const uint8_t* centre = &source[i];
      int sum = 4 * centre[0];
      for (int row = -stride; row <= stride; row += stride) {
        sum += centre[row - kChannels] + centre[row] + centre[row + kChannels];
      }
      square.bytes[i] = Blend((2 * sum + 13) / 26, centre[0], factor);
    }
  }
}

// Spreads the values that occur over 0 .. 255.
Table Stretched(const Histogram& histogram) {
  int low = 0, high = 255;
  while (low < 255 && histogram[low] == 0) low++;
  while (high > 0 && histogram[high] == 0) high--;
  const double scale = high > low ? 255.0 / (high - low) : 1;
  const double offset = high > low ? -low * scale : 0;
  Table table;
  for (int value = 0; value < 256; value++) {
    table[value] = static_cast<uint8_t>(std::min(255.0, std::max(0.0, value * scale + offset)));
  }
  return table;
}

// Makes all values about equally frequent.
Table Equalized(const Histogram& histogram) {
  int total = 0, last = 0;
  for (const int count : histogram) {
    total += count;
    if (count > 0) last = count;
  }
  const int step = (total - last) / 255;
  int sum = step / 2;
  Table table;
  for (int value = 0; value < 256; value++) {
    table[value] = step == 0 ? value : static_cast<uint8_t>(std::min(255, sum / step));
    sum += histogram[value];
  }
  return table;
}

}  // namespace

void Augment(uint8_t* bytes, int side, Operation operation, double magnitude) {
  const Square square{bytes, side};
  const float factor = static_cast<float>(1 + magnitude);
  const int whole = static_cast<int>(magnitude);
  switch (operation) {
    case Operation::kIdentity:
    case Operation::kCount:
      return;
    case Operation::kShearX:
      return Shear(bytes, side, magnitude, 0);
    case Operation::kShearY:
      return Shear(bytes, side, 0, magnitude);
    case Operation::kTranslateX:
      return Translate(bytes, side, whole, 0);
    case Operation::kTranslateY:
      return Translate(bytes, side, 0, whole);
    case Operation::kRotate:
      return Rotate(bytes, side, magnitude);
    case Operation::kBrightness:
      return Brightness(square, factor);
    case Operation::kColor:
      return Color(square, factor);
    case Operation::kContrast:
      return Contrast(square, factor);
    case Operation::kSharpness:
      return Sharpness(square, factor);
    case Operation::kPosterize:
      return MapValues(square, [whole](int value) { return value & (0xff << (8 - whole)); });
    case Operation::kSolarize:
      return MapValues(square, [magnitude](int value) { return value < magnitude ? value : 255 - value; });
    case Operation::kAutoContrast:
      return MapChannels(square, Stretched);
    case Operation::kEqualize:
      return MapChannels(square, Equalized);
  }
}

}  // namespace deep_cnn
