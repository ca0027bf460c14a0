// An addon that makes the square that a network sees from an image in memory, as jpeg_decoder.cc does from a file. It
// needs no TensorFlow.
//
//   square(width, height, orientation, resize, crop, filter, recipe, buffer, offset, pixels): Promise<boolean>
//
// `pixels` is a Uint8Array, [height, width, 3]; `orientation` is EXIF's, 1 to 8. False means that there was too little
// memory. Large images come in strips of whole rows instead, which are gathered in an ArrayBuffer of zeros:
//
//   scratchBytes(... as far as offset): number
//   addStrip(... as far as offset, pixels, scratch, first): Promise<boolean>     first: the strip's first row
//   finishStrips(... as far as offset, scratch): Promise<boolean>

#include "square_task.h"

namespace {

using deep_cnn::Fail;

// The arguments that all of them take first.
constexpr size_t kShared = 9;

class ImageTask : public deep_cnn::SquareTask {
 public:
  // Reads the shared arguments: width, height, orientation, and a square's six.
  bool ReadShared(napi_env env, const napi_value* args) {
    if (napi_get_value_int32(env, args[0], &size_.width) != napi_ok ||
        napi_get_value_int32(env, args[1], &size_.height) != napi_ok ||
        napi_get_value_int32(env, args[2], &orientation_) != napi_ok || size_.width < 1 || size_.height < 1 ||
        orientation_ < 1 || orientation_ > 8) {
      Fail(env, "internal: an image takes its width, its height and its orientation");
      return false;
    }
    return ReadSquare(env, args + 3);
  }

  // Reads some whole rows, or all.
  bool ReadPixels(napi_env env, napi_value value) {
    bool is_array = false;
    napi_typedarray_type type;
    size_t length = 0;
    void* bytes = nullptr;
    const size_t row = static_cast<size_t>(size_.width) * 3;
    if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array ||
        napi_get_typedarray_info(env, value, &type, &length, &bytes, nullptr, nullptr) != napi_ok ||
        type != napi_uint8_array || length == 0 || length % row != 0 ||
        length / row > static_cast<size_t>(size_.height)) {
      Fail(env, "internal: an image's pixels are a Uint8Array of whole rows");
      return false;
    }
    pixels_ = static_cast<const uint8_t*>(bytes);
    count_ = static_cast<int>(length / row);
    Keep(env, value);
    return true;
  }

  bool ReadScratch(napi_env env, napi_value value) {
    void* bytes = nullptr;
    size_t length = 0;
    if (napi_get_arraybuffer_info(env, value, &bytes, &length) != napi_ok || length < ScratchBytes()) {
      Fail(env, "internal: strips are gathered in an ArrayBuffer of scratchBytes()");
      return false;
    }
    scratch_ = static_cast<uint8_t*>(bytes);
    Keep(env, value);
    return true;
  }

  size_t ScratchBytes() const { return deep_cnn::ScratchBytes(size_, orientation_, ShownView(), plan().filter); }
  bool IsWhole() const { return count_ == size_.height; }

 protected:
  deep_cnn::View ShownView() const { return deep_cnn::ViewOf(size_, orientation_, plan()); }

  const uint8_t* pixels_ = nullptr;
  uint8_t* scratch_ = nullptr;
  int count_ = 0;
  deep_cnn::Size size_{};
  int orientation_ = 1;
};

class WholeTask : public ImageTask {
  bool Run() override {
    MakeSquare(pixels_, size_, orientation_);
    return true;
  }
};

class StripTask : public ImageTask {
 public:
  bool ReadFirst(napi_env env, napi_value value) {
    if (napi_get_value_int32(env, value, &first_) == napi_ok && first_ >= 0 && first_ <= size_.height - count_) {
      return true;
    }
    Fail(env, "internal: a strip lies outside its image");
    return false;
  }

 protected:
  bool Run() override {
    deep_cnn::ResampleStrip(pixels_, first_, count_, size_, orientation_, ShownView(), plan().filter, scratch_);
    return true;
  }

 private:
  int first_ = 0;
};

class FinishTask : public ImageTask {
  bool Run() override {
    deep_cnn::FinishStrips(scratch_, size_, orientation_, ShownView(), plan().filter, out());
    deep_cnn::FinishSquare(plan(), out());
    return true;
  }
};

// A task with the shared arguments read, and those behind them in `more`; null with an exception pending if they make
// no sense.
template <typename Task, size_t kMore>
std::unique_ptr<Task> ReadArguments(napi_env env, napi_callback_info info, napi_value (&more)[kMore]) {
  size_t count = kShared + kMore;
  napi_value args[kShared + kMore];
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  if (count != kShared + kMore) {
    Fail(env, "internal: an image's square takes other arguments");
    return nullptr;
  }
  for (size_t i = 0; i < kMore; i++) more[i] = args[kShared + i];
  auto task = std::make_unique<Task>();
  return task->ReadShared(env, args) ? std::move(task) : nullptr;
}

napi_value Square(napi_env env, napi_callback_info info) {
  napi_value pixels[1];
  auto task = ReadArguments<WholeTask>(env, info, pixels);
  if (!task || !task->ReadPixels(env, pixels[0])) return nullptr;
  if (!task->IsWhole()) return Fail(env, "internal: an image has fewer rows than its height");
  return deep_cnn::Start(env, std::move(task), "deep-cnn:square");
}

napi_value ScratchBytes(napi_env env, napi_callback_info info) {
  size_t count = kShared;
  napi_value args[kShared];
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  FinishTask task;
  if (count != kShared) return Fail(env, "internal: scratchBytes takes nine arguments");
  if (!task.ReadShared(env, args)) return nullptr;
  napi_value bytes;
  napi_create_double(env, static_cast<double>(task.ScratchBytes()), &bytes);
  return bytes;
}

napi_value AddStrip(napi_env env, napi_callback_info info) {
  napi_value more[3];
  auto task = ReadArguments<StripTask>(env, info, more);
  if (!task || !task->ReadPixels(env, more[0]) || !task->ReadScratch(env, more[1]) || !task->ReadFirst(env, more[2])) {
    return nullptr;
  }
  return deep_cnn::Start(env, std::move(task), "deep-cnn:strip");
}

napi_value FinishStrips(napi_env env, napi_callback_info info) {
  napi_value scratch[1];
  auto task = ReadArguments<FinishTask>(env, info, scratch);
  if (!task || !task->ReadScratch(env, scratch[0])) return nullptr;
  return deep_cnn::Start(env, std::move(task), "deep-cnn:finish");
}

}  // namespace

NAPI_MODULE_INIT() {
  const auto provide = [&](const char* name, napi_callback callback) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  };
  provide("square", Square);
  provide("scratchBytes", ScratchBytes);
  provide("addStrip", AddStrip);
  provide("finishStrips", FinishStrips);
  return exports;
}
