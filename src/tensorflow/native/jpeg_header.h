// What a JPEG file says of itself before its pixels (ITU T.81, annex B; EXIF 2.32, 4.6).

#ifndef DEEP_CNN_JPEG_HEADER_H_
#define DEEP_CNN_JPEG_HEADER_H_

#include <cstddef>
#include <cstdint>

namespace deep_cnn {

struct JpegHeader {
  int precision = 0;    // bits of a sample; 0 if there is no frame
  int orientation = 1;  // EXIF's, 1 to 8; 0 if only XMP gives one, which is not read here
};

JpegHeader ReadJpegHeader(const uint8_t* file, size_t size);

}  // namespace deep_cnn

#endif  // DEEP_CNN_JPEG_HEADER_H_
