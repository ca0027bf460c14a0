#include <cmath>
#include <cstring>
#include <vector>

#include "augment.h"

namespace deep_cnn {
namespace {

constexpr int kChannels = 3;
constexpr double kDegree = 3.14159265358979323846 / 180;

// Where the pixel at (x, y) comes from: (xx x + xy y + x0, yx x + yy y + y0).
struct Origin {
  double xx, xy, x0;
  double yx, yy, y0;
};

// The nearest pixel, in fixed point with 16 fractional bits: rounding decides which one it is, so this is Pillow's way.
void Move(uint8_t* square, int side, const Origin& origin) {
  const auto fixed = [](double value) { return static_cast<int>(std::floor(value * 65536 + 0.5)); };
  const int xx = fixed(origin.xx), xy = fixed(origin.xy), yx = fixed(origin.yx), yy = fixed(origin.yy);
  int row_x = fixed(origin.x0 + origin.xx * 0.5 + origin.xy * 0.5);
  int row_y = fixed(origin.y0 + origin.yx * 0.5 + origin.yy * 0.5);
  const size_t stride = static_cast<size_t>(side) * kChannels;
  const std::vector<uint8_t> source(square, square + side * stride);
  for (int y = 0; y < side; y++, row_x += xy, row_y += yy) {
    int from_x = row_x, from_y = row_y;
    for (int x = 0; x < side; x++, from_x += xx, from_y += yx, square += kChannels) {
      const int column = from_x >> 16, row = from_y >> 16;
      if (column >= 0 && column < side && row >= 0 && row < side) {
        std::memcpy(square, &source[row * stride + column * kChannels], kChannels);
      } else {
        std::memset(square, 0, kChannels);
      }
    }
  }
}

}  // namespace

void Shear(uint8_t* square, int side, double across, double down) {
  Move(square, side, {1, across, 0, down, 1, 0});
}

void Translate(uint8_t* square, int side, int right, int down) {
  Move(square, side, {1, 0, -static_cast<double>(right), 0, 1, -static_cast<double>(down)});
}

void Rotate(uint8_t* square, int side, double degrees) {
  // To 15 places, as in Pillow, so that right angles come out as such.
  const auto rounded = [](double value) { return std::nearbyint(value * 1e15) / 1e15; };
  const double cosine = rounded(std::cos(degrees * kDegree));
  const double sine = rounded(std::sin(degrees * kDegree));
  const double centre = side / 2.0;
  const double x0 = cosine * -centre + sine * centre + centre;
  const double y0 = -sine * centre - cosine * centre + centre;
  Move(square, side, {cosine, -sine, x0, sine, cosine, y0});
}

}  // namespace deep_cnn
