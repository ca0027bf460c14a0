#include "square.h"

#include <algorithm>
#include <cmath>

#include "augment.h"

namespace deep_cnn {
namespace {

// Of the box that is shown when no try fits.
constexpr double kMinAspect = 3.0 / 4;
constexpr double kMaxAspect = 4.0 / 3;

// Rounded as Python's round() does: halves go to the even neighbour.
int RoundHalfEven(double value) { return static_cast<int>(std::nearbyint(value)); }

// Half of a whole number, as RoundHalfEven.
int HalfEven(int value) {
  const int floor = value / 2;
  return value % 2 == 0 || floor % 2 == 0 ? floor : floor + 1;
}

Box CentralBox(Size size) {
  const double aspect = static_cast<double>(size.width) / size.height;
  int width = size.width, height = size.height;
  if (aspect < kMinAspect) {
    height = RoundHalfEven(width / kMinAspect);
  } else if (aspect > kMaxAspect) {
    width = RoundHalfEven(height * kMaxAspect);
  }
  return {(size.width - width) / 2, (size.height - height) / 2, width, height};
}

// torchvision's Resize and CenterCrop: the aspect is kept and the long side truncated to whole pixels.
View CentralView(Size size, int resize, int crop) {
  const auto scaled = [resize](int long_side, int short_side) {
    return static_cast<int>(static_cast<int64_t>(resize) * long_side / short_side);
  };
  const Size target = size.width <= size.height ? Size{resize, scaled(size.height, size.width)}
                                                : Size{scaled(size.width, size.height), resize};
  return {{0, 0, size.width, size.height},
          target,
          HalfEven(target.width - crop),
          HalfEven(target.height - crop),
          crop,
          false};
}

}  // namespace

Box RandomBox(Size size, const Recipe& recipe) {
  const double pixels = static_cast<double>(size.width) * size.height;
  for (const auto& [area, aspect] : recipe.tries) {
    const int width = RoundHalfEven(std::sqrt(pixels * area * aspect));
    const int height = RoundHalfEven(std::sqrt(pixels * area / aspect));
    if (width < 1 || width > size.width || height < 1 || height > size.height) continue;
    return {static_cast<int>(recipe.across * (size.width - width + 1)),
            static_cast<int>(recipe.down * (size.height - height + 1)), width, height};
  }
  return CentralBox(size);
}

View ViewOf(Size stored, int orientation, const Plan& plan) {
  const Size size = TurnedSize(stored, orientation);
  if (!plan.random) return CentralView(size, plan.resize, plan.crop);
  return {RandomBox(size, plan.recipe), {plan.crop, plan.crop}, 0, 0, plan.crop, plan.recipe.flip != 0};
}

void FinishSquare(const Plan& plan, uint8_t* square) {
  if (plan.random) {
    Augment(square, plan.crop, static_cast<Operation>(plan.recipe.operation), plan.recipe.magnitude);
  }
}

void MakeSquare(const uint8_t* pixels, Size stored, int orientation, const Plan& plan, uint8_t* out) {
  Resample(pixels, stored, orientation, ViewOf(stored, orientation, plan), plan.filter, out);
  FinishSquare(plan, out);
}

}  // namespace deep_cnn
