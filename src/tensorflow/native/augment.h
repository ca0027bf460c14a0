// The operations of TrivialAugment (Müller and Hutter 2021, https://arxiv.org/abs/2103.10158), with the pixels that
// torchvision makes on Pillow's images.

#ifndef DEEP_CNN_AUGMENT_H_
#define DEEP_CNN_AUGMENT_H_

#include <cstdint>

namespace deep_cnn {

enum class Operation {
  kIdentity,
  kShearX,        // pixels to the right per row
  kShearY,        // pixels down per column
  kTranslateX,    // pixels to the right
  kTranslateY,    // pixels down
  kRotate,        // degrees, counterclockwise
  kBrightness,    // -1 is black, 0 changes nothing; so for the next three
  kColor,         // -1 is grey
  kContrast,      // -1 is the mean grey all over
  kSharpness,     // -1 is smoothed
  kPosterize,     // bits that are kept
  kSolarize,      // values from here on are inverted
  kAutoContrast,
  kEqualize,
  kCount,
};

// Changes a square of `side` by `side` pixels of three bytes in place.
void Augment(uint8_t* square, int side, Operation operation, double magnitude);

// Those among them that move pixels; what comes from outside is black (in affine.cc).
void Shear(uint8_t* square, int side, double across, double down);
void Translate(uint8_t* square, int side, int right, int down);
void Rotate(uint8_t* square, int side, double degrees);

}  // namespace deep_cnn

#endif  // DEEP_CNN_AUGMENT_H_
