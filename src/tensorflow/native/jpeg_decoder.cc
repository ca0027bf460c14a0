// An addon that turns a JPEG file into the square that a network sees, in one task on libuv's thread pool: read, decode
// with the libjpeg-turbo inside TensorFlow, resize and crop as Pillow does, into the place that it will be used from.
//
//   decode(path, shortSide, crop, filter, buffer, offset): Promise<boolean>
//
// False means that the file is not for this decoder (missing, damaged, no JPEG, CMYK): then nothing in particular is in
// the buffer, and whoever can tell more about such files is to read it.

#include <dlfcn.h>
#include <node_api.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "resample.h"

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

// Pillow's limit: twice Image.MAX_IMAGE_PIXELS.
constexpr int64_t kMaxPixels = 178956970;
constexpr long kMaxFileBytes = 1L << 30;

struct Task {
  std::string path;
  int short_side;
  int crop;
  deep_cnn::Filter filter;
  uint8_t* out;
  bool decoded = false;
  napi_ref buffer = nullptr;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

// Reads a file that begins as a JPEG does.
bool ReadJpeg(const std::string& path, std::vector<uint8_t>* bytes) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file || std::fgetc(file.get()) != 0xff || std::fgetc(file.get()) != 0xd8) return false;
  if (std::fseek(file.get(), 0, SEEK_END) != 0) return false;
  const long size = std::ftell(file.get());
  if (size < 4 || size > kMaxFileBytes || std::fseek(file.get(), 0, SEEK_SET) != 0) return false;
  bytes->resize(size);
  return std::fread(bytes->data(), 1, size, file.get()) == bytes->size();
}

bool Decode(const Task& task) {
  std::vector<uint8_t> file;
  if (!ReadJpeg(task.path, &file)) return false;
  const int file_size = static_cast<int>(file.size());
  int width = 0, height = 0, components = 0;
  if (!tensorflow::jpeg::GetImageInfo(file.data(), file_size, &width, &height, &components)) return false;
  if (width < 1 || height < 1 || static_cast<int64_t>(width) * height > kMaxPixels) return false;
  if (components != 1 && components != 3) return false;

  tensorflow::jpeg::UncompressFlags flags;
  flags.components = 3;
  int64_t warnings = 0;
  const std::unique_ptr<unsigned char[]> pixels(
      tensorflow::jpeg::Uncompress(file.data(), file_size, flags, &width, &height, &components, &warnings));
  if (!pixels || warnings != 0) return false;
  deep_cnn::ResizeAndCrop(pixels.get(), {width, height}, task.short_side, task.crop, task.filter, task.out);
  return true;
}

void Execute(napi_env, void* data) {
  Task* task = static_cast<Task*>(data);
  try {
    task->decoded = Decode(*task);
  } catch (const std::exception&) {
    task->decoded = false;  // out of memory: let somebody else say so
  }
}

void Complete(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Task> task(static_cast<Task*>(data));
  napi_value decoded;
  napi_get_boolean(env, task->decoded, &decoded);
  napi_resolve_deferred(env, task->deferred, decoded);
  napi_delete_reference(env, task->buffer);
  napi_delete_async_work(env, task->work);
}

napi_value Fail(napi_env env, const char* message) {
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

bool ReadString(napi_env env, napi_value value, std::string* text) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  text->resize(length);
  return napi_get_value_string_utf8(env, value, &(*text)[0], length + 1, &length) == napi_ok;
}

napi_value DecodeJpeg(napi_env env, napi_callback_info info) {
  size_t count = 6;
  napi_value args[6];
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  auto task = std::make_unique<Task>();
  int32_t filter = 0;
  int64_t offset = 0;
  void* bytes = nullptr;
  size_t byte_length = 0;
  if (count != 6 || !ReadString(env, args[0], &task->path) ||
      napi_get_value_int32(env, args[1], &task->short_side) != napi_ok ||
      napi_get_value_int32(env, args[2], &task->crop) != napi_ok ||
      napi_get_value_int32(env, args[3], &filter) != napi_ok ||
      napi_get_arraybuffer_info(env, args[4], &bytes, &byte_length) != napi_ok ||
      napi_get_value_int64(env, args[5], &offset) != napi_ok) {
    return Fail(env, "internal: decode takes a path, two sizes, a filter, an ArrayBuffer and an offset");
  }
  const int64_t needed = static_cast<int64_t>(task->crop) * task->crop * 3;
  if (task->crop < 1 || task->crop > task->short_side || (filter != 0 && filter != 1) || offset < 0 ||
      offset + needed > static_cast<int64_t>(byte_length)) {
    return Fail(env, "internal: decode's square does not fit its image or its buffer");
  }
  task->filter = static_cast<deep_cnn::Filter>(filter);
  task->out = static_cast<uint8_t*>(bytes) + offset;

  napi_value promise, name;
  napi_create_reference(env, args[4], 1, &task->buffer);
  napi_create_promise(env, &task->deferred, &promise);
  napi_create_string_utf8(env, "deep-cnn:decode", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, nullptr, name, Execute, Complete, task.get(), &task->work);
  napi_queue_async_work(env, task->work);
  task.release();
  return promise;
}

// Node unloads an addon with the last thread that used it, and TensorFlow does not survive being unloaded.
void StayLoaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&StayLoaded), &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

}  // namespace

NAPI_MODULE_INIT() {
  StayLoaded();
  napi_value decode;
  napi_create_function(env, "decode", NAPI_AUTO_LENGTH, DecodeJpeg, nullptr, &decode);
  napi_set_named_property(env, exports, "decode", decode);
  return exports;
}
