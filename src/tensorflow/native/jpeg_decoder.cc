// An addon that turns a JPEG file into the square that a network sees, in one task on libuv's thread pool: read, decode
// with the libjpeg-turbo inside TensorFlow, and make the square, in the place that it will be used from.
//
//   decode(path, turn, resize, crop, filter, recipe, buffer, offset): Promise<boolean>
//
// `turn` says whether the EXIF orientation counts. False means that the file is not for this decoder (missing, damaged, no JPEG, CMYK, turned by XMP): then nothing in particular is in
// the buffer, and whoever can tell more about such files is to read it.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "jpeg_header.h"
#include "square_task.h"

// TensorFlow's C++ interface to its JPEG library (tensorflow/core/lib/jpeg/jpeg_mem.h), of which its headers would bring
// in hundreds. Set-up decodes an image with it before the addon is used.
namespace tensorflow {
namespace jpeg {

struct UncompressFlags {
  int ratio = 1;
  int components = 0;
  bool fancy_upscaling = true;
  bool try_recover_truncated_jpeg = false;
  float min_acceptable_fraction = 1.0;
  int stride = 0;
  int dct_method = 0;  // JDCT_ISLOW, the exact one
  bool crop = false;
  int crop_x = 0;
  int crop_y = 0;
  int crop_width = 0;
  int crop_height = 0;
};

unsigned char* Uncompress(const void* data, int size, const UncompressFlags& flags, int* width, int* height,
                          int* components, int64_t* warnings);
bool GetImageInfo(const void* data, int size, int* width, int* height, int* components);

}  // namespace jpeg
}  // namespace tensorflow

namespace {

// Larger images are decoded in strips, by others.
constexpr int64_t kMaxPixels = 48000000;
constexpr long kMaxFileBytes = 1L << 30;

// Reads a file that begins as a JPEG does.
bool ReadJpeg(const std::string& path, std::vector<uint8_t>* bytes) {
  // A pipe must not be waited for.
  const int descriptor = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return false;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fdopen(descriptor, "rb"), std::fclose);
  struct stat status;
  if (!file || fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (std::fgetc(file.get()) != 0xff || std::fgetc(file.get()) != 0xd8) return false;
  if (std::fseek(file.get(), 0, SEEK_END) != 0) return false;
  const long size = std::ftell(file.get());
  if (size < 4 || size > kMaxFileBytes || std::fseek(file.get(), 0, SEEK_SET) != 0) return false;
  bytes->resize(size);
  return std::fread(bytes->data(), 1, size, file.get()) == bytes->size();
}

// Keeps large images from being in memory all at the same time, as data/memory-budget.ts does.
class Room {
 public:
  explicit Room(int64_t bytes) : bytes_(bytes) {
    std::unique_lock<std::mutex> lock(mutex_);
    freed_.wait(lock, [this] { return used_ == 0 || used_ + bytes_ <= kBudget; });
    used_ += bytes_;
  }
  ~Room() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      used_ -= bytes_;
    }
    freed_.notify_all();
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

 private:
  static constexpr int64_t kBudget = 256 << 20;
  static inline std::mutex mutex_;
  static inline std::condition_variable freed_;
  static inline int64_t used_ = 0;

  const int64_t bytes_;
};

// libjpeg writes a line to stderr about each damaged file, without its name, and TensorFlow does not let it be told not
// to. So what this thread writes while it decodes is dropped.
thread_local bool decoding = false;

ssize_t WriteUnlessDecoding(void*, const char* text, size_t size) {
  return decoding ? static_cast<ssize_t>(size) : write(STDERR_FILENO, text, size);
}

void FilterStderr() {
#ifdef __GLIBC__
  cookie_io_functions_t functions{};
  functions.write = WriteUnlessDecoding;
  FILE* const filtered = fopencookie(nullptr, "w", functions);
  if (filtered == nullptr) return;
  setvbuf(filtered, nullptr, _IONBF, 0);
  stderr = filtered;
#endif
}

class Quietly {
 public:
  Quietly() { decoding = true; }
  ~Quietly() { decoding = false; }
};

class DecodeTask : public deep_cnn::SquareTask {
 public:
  std::string path;
  bool turn = false;

 protected:
  bool Run() override {
    std::vector<uint8_t> file;
    if (!ReadJpeg(path, &file)) return false;
    const int file_size = static_cast<int>(file.size());
    const deep_cnn::JpegHeader header = deep_cnn::ReadJpegHeader(file.data(), file.size());
    if (header.precision != 8 || (turn && header.orientation == 0)) return false;
    const Quietly quietly;
    int width = 0, height = 0, components = 0;
    if (!tensorflow::jpeg::GetImageInfo(file.data(), file_size, &width, &height, &components)) return false;
    if (width < 1 || height < 1 || static_cast<int64_t>(width) * height > kMaxPixels) return false;
    if (components != 1 && components != 3) return false;

    const Room room(static_cast<int64_t>(width) * height * 3);
    tensorflow::jpeg::UncompressFlags flags;
    flags.components = 3;
    int64_t warnings = 0;
    const std::unique_ptr<unsigned char[]> pixels(
        tensorflow::jpeg::Uncompress(file.data(), file_size, flags, &width, &height, &components, &warnings));
    if (!pixels || warnings != 0) return false;
    MakeSquare(pixels.get(), {width, height}, turn ? header.orientation : 1);
    return true;
  }
};

bool ReadString(napi_env env, napi_value value, std::string* text) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  text->resize(length);
  return napi_get_value_string_utf8(env, value, &(*text)[0], length + 1, &length) == napi_ok;
}

napi_value DecodeJpeg(napi_env env, napi_callback_info info) {
  size_t count = 8;
  napi_value args[8];
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  auto task = std::make_unique<DecodeTask>();
  if (count != 8 || !ReadString(env, args[0], &task->path) ||
      napi_get_value_bool(env, args[1], &task->turn) != napi_ok) {
    return deep_cnn::Fail(env, "internal: decode takes a path, a boolean and a square's six arguments");
  }
  if (!task->ReadSquare(env, args + 2)) return nullptr;
  return deep_cnn::Start(env, std::move(task), "deep-cnn:decode");
}

// Node unloads an addon with the last thread that used it, and TensorFlow does not survive being unloaded.
void StayLoaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&StayLoaded), &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

}  // namespace

NAPI_MODULE_INIT() {
  StayLoaded();
  static std::once_flag filtered;
  std::call_once(filtered, FilterStderr);
  napi_value decode;
  napi_create_function(env, "decode", NAPI_AUTO_LENGTH, DecodeJpeg, nullptr, &decode);
  napi_set_named_property(env, exports, "decode", decode);
  return exports;
}
