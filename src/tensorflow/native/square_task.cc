#include "square_task.h"

#include <cstring>
#include <exception>

#include "augment.h"

namespace deep_cnn {
namespace {

// Reads a recipe, every number of which is in its range.
bool ReadRecipe(napi_env env, napi_value value, Recipe* recipe) {
  bool is_array = false;
  napi_typedarray_type type;
  size_t length = 0;
  void* numbers = nullptr;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array) return false;
  if (napi_get_typedarray_info(env, value, &type, &length, &numbers, nullptr, nullptr) != napi_ok) return false;
  if (type != napi_float64_array || length * sizeof(double) != sizeof(Recipe)) return false;
  std::memcpy(recipe, numbers, sizeof(Recipe));
  for (const auto& [area, aspect] : recipe->tries) {
    if (!(area > 0 && area <= 1 && aspect > 0.01 && aspect < 100)) return false;
  }
  return recipe->across >= 0 && recipe->across < 1 && recipe->down >= 0 && recipe->down < 1 &&
         recipe->operation >= 0 && recipe->operation < static_cast<int>(Operation::kCount) &&
         recipe->magnitude >= -256 && recipe->magnitude <= 256 &&
         (recipe->operation != static_cast<int>(Operation::kPosterize) ||
          (recipe->magnitude >= 0 && recipe->magnitude <= 8));
}

}  // namespace

bool SquareTask::ReadSquare(napi_env env, const napi_value* args) {
  int32_t filter = 0;
  int64_t offset = 0;
  void* bytes = nullptr;
  size_t byte_length = 0;
  napi_valuetype recipe_type = napi_undefined;
  if (napi_get_value_int32(env, args[0], &plan_.resize) != napi_ok ||
      napi_get_value_int32(env, args[1], &plan_.crop) != napi_ok ||
      napi_get_value_int32(env, args[2], &filter) != napi_ok ||
      napi_typeof(env, args[3], &recipe_type) != napi_ok ||
      napi_get_arraybuffer_info(env, args[4], &bytes, &byte_length) != napi_ok ||
      napi_get_value_int64(env, args[5], &offset) != napi_ok) {
    Fail(env, "internal: a square takes two sizes, a filter, a recipe, an ArrayBuffer and an offset");
    return false;
  }
  const int64_t needed = static_cast<int64_t>(plan_.crop) * plan_.crop * 3;
  if (plan_.crop < 1 || plan_.crop > plan_.resize || plan_.crop > 32767 || (filter != 0 && filter != 1) ||
      offset < 0 || offset + needed > static_cast<int64_t>(byte_length)) {
    Fail(env, "internal: a square does not fit its image or its buffer");
    return false;
  }
  plan_.filter = static_cast<Filter>(filter);
  plan_.random = recipe_type != napi_undefined;
  if (plan_.random && !ReadRecipe(env, args[3], &plan_.recipe)) {
    Fail(env, "internal: a recipe has the wrong length or a number out of its range");
    return false;
  }
  out_ = static_cast<uint8_t*>(bytes) + offset;
  Keep(env, args[4]);
  return true;
}

void SquareTask::Keep(napi_env env, napi_value value) { napi_create_reference(env, value, 1, &kept_[kept_count_++]); }

void SquareTask::Execute(napi_env, void* data) {
  SquareTask* task = static_cast<SquareTask*>(data);
  try {
    task->done_ = task->Run();
  } catch (const std::exception&) {
    task->done_ = false;  // out of memory: let somebody else say so
  }
}

void SquareTask::Complete(napi_env env, napi_status, void* data) {
  const std::unique_ptr<SquareTask> task(static_cast<SquareTask*>(data));
  napi_value done;
  napi_get_boolean(env, task->done_, &done);
  napi_resolve_deferred(env, task->deferred_, done);
  for (int i = 0; i < task->kept_count_; i++) napi_delete_reference(env, task->kept_[i]);
  napi_delete_async_work(env, task->work_);
}

napi_value Start(napi_env env, std::unique_ptr<SquareTask> task, const char* name) {
  napi_value promise, resource_name;
  napi_create_promise(env, &task->deferred_, &promise);
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource_name);
  napi_create_async_work(env, nullptr, resource_name, SquareTask::Execute, SquareTask::Complete, task.get(),
                         &task->work_);
  napi_queue_async_work(env, task->work_);
  task.release();
  return promise;
}

napi_value Fail(napi_env env, const char* message) {
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

}  // namespace deep_cnn
