// The square that a network sees of an image: the same one every time, or a random one.

#ifndef DEEP_CNN_SQUARE_H_
#define DEEP_CNN_SQUARE_H_

#include <cstdint>

#include "resample.h"

namespace deep_cnn {

// A random square: everything about it has been drawn before, as the numbers of a recipe in this order, except that
// which part of the image it shows also depends on the image's size.
struct Recipe {
  static constexpr int kTries = 10;
  struct Try {
    double area;    // share of the image's area
    double aspect;  // width divided by height
  };
  Try tries[kTries];
  double across;  // where the box lies between left and right, 0 <= across < 1
  double down;
  double flip;       // 0 or 1
  double operation;  // an Operation of augment.h
  double magnitude;
};

struct Plan {
  int resize;  // length of the shorter side after resizing, where there is no recipe
  int crop;    // side of the square; at most `resize`
  Filter filter;
  bool random;
  Recipe recipe;  // if random
};

// The part of an image that a recipe shows: the first try that fits, else the largest central box of a fair aspect
// (torchvision's RandomResizedCrop; Szegedy et al. 2015, https://arxiv.org/abs/1409.4842).
Box RandomBox(Size size, const Recipe& recipe);

// What the square shows of an image of that size, turned as an EXIF orientation of 1 to 8 says.
View ViewOf(Size stored, int orientation, const Plan& plan);

// What is left to do when the view has been resampled.
void FinishSquare(const Plan& plan, uint8_t* square);

// Writes the square of `pixels`, [size.height, size.width, 3], turned as an EXIF orientation of 1 to 8 says, to `out`,
// [crop, crop, 3].
void MakeSquare(const uint8_t* pixels, Size size, int orientation, const Plan& plan, uint8_t* out);

}  // namespace deep_cnn

#endif  // DEEP_CNN_SQUARE_H_
