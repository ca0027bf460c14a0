// Pillow's Image.resize on 8-bit RGB, to the bit: two passes of weighted sums in fixed point
// (https://github.com/python-pillow/Pillow, src/libImaging/Resample.c). Only the square that is kept is computed.

#ifndef DEEP_CNN_RESAMPLE_H_
#define DEEP_CNN_RESAMPLE_H_

#include <cstddef>
#include <cstdint>

namespace deep_cnn {

enum class Filter { kBilinear = 0, kBicubic = 1 };

struct Size {
  int width;
  int height;
};

struct Box {
  int left;
  int top;
  int width;
  int height;
};

// What becomes of an image: `source`, a part of it, is resized to `target`, of which the square of side `crop` at
// `left`, `top` is kept, mirrored left to right if `flip` is set.
struct View {
  Box source;
  Size target;
  int left;
  int top;
  int crop;
  bool flip;
};

// The size of an image once it is turned as an EXIF orientation of 1 to 8 says.
Size TurnedSize(Size stored, int orientation);

// Writes the view of the turned image of `pixels`, [stored.height, stored.width, 3], to `out`, [crop, crop, 3].
void Resample(const uint8_t* pixels, Size stored, int orientation, const View& view, Filter filter, uint8_t* out);

// The same for an image that comes in strips of whole rows, in any order: each is added to `scratch`, of as many bytes as
// ScratchBytes says, all zero at first and aligned for 32-bit numbers.
size_t ScratchBytes(Size stored, int orientation, const View& view, Filter filter);

// `strip` holds the rows from `first` on, [count, stored.width, 3].
void ResampleStrip(const uint8_t* strip, int first, int count, Size stored, int orientation, const View& view,
                   Filter filter, uint8_t* scratch);

// Once all rows were added.
void FinishStrips(const uint8_t* scratch, Size stored, int orientation, const View& view, Filter filter, uint8_t* out);

}  // namespace deep_cnn

#endif  // DEEP_CNN_RESAMPLE_H_
