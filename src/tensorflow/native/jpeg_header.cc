#include "jpeg_header.h"

#include <algorithm>
#include <cstring>

namespace deep_cnn {
namespace {

constexpr int kOrientationTag = 0x112;

// Bytes in the order that a TIFF header chooses. Reading past the end gives zeros.
class TiffBytes {
 public:
  TiffBytes(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size), little_(size > 0 && bytes[0] == 'I') {}

  uint32_t Number(size_t at, int count) const {
    uint32_t value = 0;
    for (int i = 0; i < count; i++) value |= static_cast<uint32_t>(Byte(at + i)) << 8 * (little_ ? i : count - 1 - i);
    return value;
  }
  bool Has(size_t end) const { return end <= size_; }

 private:
  uint8_t Byte(size_t at) const { return at < size_ ? bytes_[at] : 0; }

  const uint8_t* bytes_;
  size_t size_;
  bool little_;
};

// The orientation in an EXIF block, 0 if there is none.
int ExifOrientation(const uint8_t* bytes, size_t size) {
  const TiffBytes exif(bytes, size);
  const size_t directory = exif.Number(4, 4);
  const int entries = exif.Number(directory, 2);
  for (int i = 0; i < entries; i++) {
    const size_t entry = directory + 2 + 12 * static_cast<size_t>(i);
    if (!exif.Has(entry + 12)) return 0;
    if (exif.Number(entry, 2) != kOrientationTag) continue;
    const uint32_t value = exif.Number(entry + 8, exif.Number(entry + 2, 2) == 3 ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 0;
}

bool Contains(const uint8_t* bytes, size_t size, const char* text) {
  return std::search(bytes, bytes + size, text, text + std::strlen(text)) != bytes + size;
}

bool StartsWith(const uint8_t* bytes, size_t size, const char* text, size_t length) {
  return size >= length && std::memcmp(bytes, text, length) == 0;
}

}  // namespace

JpegHeader ReadJpegHeader(const uint8_t* file, size_t size) {
  constexpr char kExif[] = "Exif\0";  // and the zero that ends every literal
  constexpr char kXmp[] = "http://ns.adobe.com/xap/1.0/";
  JpegHeader header;
  bool seen = false, elsewhere = false;
  int orientation = 0;
  for (size_t at = 2; at + 4 <= size && file[at] == 0xff;) {
    const int marker = file[at + 1];
    if (marker == 0xff) {
      at++;  // a fill byte
      continue;
    }
    const size_t length = file[at + 2] << 8 | file[at + 3];
    const uint8_t* content = file + at + 4;
    const size_t count = std::min(size - at, length + 2) - 4;
    if (marker == 0xda || length < 2) break;
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc && count > 0) {
      header.precision = content[0];
    } else if (marker == 0xe1 && !seen && StartsWith(content, count, kExif, sizeof kExif)) {
      seen = true;
      orientation = ExifOrientation(content + sizeof kExif, count - sizeof kExif);
    } else if (marker == 0xe1 && StartsWith(content, count, kXmp, sizeof kXmp)) {
      elsewhere = elsewhere || Contains(content, count, "tiff:Orientation");
    }
    at += 2 + length;
  }
  header.orientation = orientation != 0 ? orientation : elsewhere ? 0 : 1;
  return header;
}

}  // namespace deep_cnn
