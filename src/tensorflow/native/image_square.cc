// An addon that makes the square that a network sees from an image in memory, as jpeg_decoder.cc does from a file. It
// needs no TensorFlow.
//
//   square(pixels, width, height, orientation, resize, crop, filter, recipe, buffer, offset): Promise<boolean>
//
// `pixels` is a Uint8Array, [height, width, 3]; `orientation` is EXIF's, 1 to 8. False means that there was too little memory.

#include "square_task.h"

namespace {

class ImageTask : public deep_cnn::SquareTask {
 public:
  // Reads the arguments that say what to make it from: pixels, width, height, orientation.
  bool ReadImage(napi_env env, const napi_value* args) {
    bool is_array = false;
    napi_typedarray_type type;
    size_t length = 0;
    void* bytes = nullptr;
    if (napi_is_typedarray(env, args[0], &is_array) != napi_ok || !is_array ||
        napi_get_typedarray_info(env, args[0], &type, &length, &bytes, nullptr, nullptr) != napi_ok ||
        napi_get_value_int32(env, args[1], &size_.width) != napi_ok ||
        napi_get_value_int32(env, args[2], &size_.height) != napi_ok ||
        napi_get_value_int32(env, args[3], &orientation_) != napi_ok || type != napi_uint8_array || size_.width < 1 ||
        size_.height < 1 || orientation_ < 1 || orientation_ > 8 ||
        static_cast<int64_t>(size_.width) * size_.height * 3 != static_cast<int64_t>(length)) {
      deep_cnn::Fail(env, "internal: an image takes its pixels as a Uint8Array, its width, its height and its orientation");
      return false;
    }
    pixels_ = static_cast<const uint8_t*>(bytes);
    Keep(env, args[0]);
    return true;
  }

 protected:
  bool Run() override {
    MakeSquare(pixels_, size_, orientation_);
    return true;
  }

 private:
  const uint8_t* pixels_ = nullptr;
  deep_cnn::Size size_{};
  int orientation_ = 1;
};

napi_value MakeSquare(napi_env env, napi_callback_info info) {
  size_t count = 10;
  napi_value args[10];
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  if (count != 10) return deep_cnn::Fail(env, "internal: square takes an image's four and a square's six arguments");
  auto task = std::make_unique<ImageTask>();
  if (!task->ReadImage(env, args) || !task->ReadSquare(env, args + 4)) return nullptr;
  return deep_cnn::Start(env, std::move(task), "deep-cnn:square");
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value square;
  napi_create_function(env, "square", NAPI_AUTO_LENGTH, MakeSquare, nullptr, &square);
  napi_set_named_property(env, exports, "square", square);
  return exports;
}
