// What the addons have in common: a task on libuv's thread pool that makes a square from an image.

#ifndef DEEP_CNN_SQUARE_TASK_H_
#define DEEP_CNN_SQUARE_TASK_H_

#include <node_api.h>

#include <cstdint>
#include <memory>

#include "square.h"

namespace deep_cnn {

class SquareTask {
 public:
  virtual ~SquareTask() = default;

  // Reads the arguments that say what to make and where to: resize, crop, filter, recipe, buffer, offset. A recipe is
  // a Float64Array, or undefined for the central square. False, with an exception pending, if they make no sense.
  bool ReadSquare(napi_env env, const napi_value* args);

 protected:
  // Makes the square, on a thread of the pool; false if it can't.
  virtual bool Run() = 0;

  // The size is that of the pixels as they are stored; `orientation` is how EXIF says to turn them.
  void MakeSquare(const uint8_t* pixels, Size size, int orientation) const {
    deep_cnn::MakeSquare(pixels, size, orientation, plan_, out_);
  }

  // Keeps a JavaScript object alive until the task is done.
  void Keep(napi_env env, napi_value value);

  const Plan& plan() const { return plan_; }
  uint8_t* out() const { return out_; }

 private:
  friend napi_value Start(napi_env env, std::unique_ptr<SquareTask> task, const char* name);
  static void Execute(napi_env, void* data);
  static void Complete(napi_env env, napi_status, void* data);

  Plan plan_{};
  uint8_t* out_ = nullptr;
  bool done_ = false;
  napi_ref kept_[3] = {};
  int kept_count_ = 0;
  napi_deferred deferred_ = nullptr;
  napi_async_work work_ = nullptr;
};

// Queues the task; the promise resolves to what its Run() returned.
napi_value Start(napi_env env, std::unique_ptr<SquareTask> task, const char* name);

// Throws an error in JavaScript.
napi_value Fail(napi_env env, const char* message);

}  // namespace deep_cnn

#endif  // DEEP_CNN_SQUARE_TASK_H_
