// Pillow's Image.resize on 8-bit RGB, to the bit: two passes of weighted sums in fixed point
// (https://github.com/python-pillow/Pillow, src/libImaging/Resample.c). Only the square that is kept is computed.

#ifndef DEEP_CNN_RESAMPLE_H_
#define DEEP_CNN_RESAMPLE_H_

#include <cstdint>
#include <vector>

namespace deep_cnn {

enum class Filter { kBilinear = 0, kBicubic = 1 };

struct Size {
  int width;
  int height;
};

// Size after torchvision's Resize(short_side): the long side is truncated to whole pixels.
Size ResizedSize(Size size, int short_side);

// Where torchvision's CenterCrop(crop) begins in `length` pixels: halves go to the even neighbour.
int CropOffset(int length, int crop);

// Resizes `pixels`, [height, width, 3], so that its short side is `short_side`, and writes the central square of side
// `crop` to `out`, [crop, crop, 3]. `crop` is at most `short_side`.
void ResizeAndCrop(const uint8_t* pixels, Size size, int short_side, int crop, Filter filter, uint8_t* out);

}  // namespace deep_cnn

#endif  // DEEP_CNN_RESAMPLE_H_
