// An addon that bounds how much memory TensorFlow takes of each GPU. A GPU gets its allocator with the first device that a
// process makes of it, by the options of that one, and keeps it (TensorFlow's gpu_process_state.cc): a session that is
// opened before TensorFlow.js makes its devices decides.
//
//   totals(): number[]            bytes of each GPU that CUDA lets this process see; none without a driver
//   openSession(config): string   opens and closes a session with a serialized ConfigProto, an Uint8Array; what
//                                 TensorFlow says against it, or nothing

#include <dlfcn.h>
#include <node_api.h>

#include <cstddef>
#include <string>
#include <vector>

// What is used of TensorFlow's C interface (tensorflow/c/c_api.h), whose headers are not everywhere complete.
extern "C" {
typedef struct TF_Status TF_Status;
typedef struct TF_Graph TF_Graph;
typedef struct TF_Session TF_Session;
typedef struct TF_SessionOptions TF_SessionOptions;

TF_Status* TF_NewStatus(void);
void TF_DeleteStatus(TF_Status*);
int TF_GetCode(const TF_Status*);
const char* TF_Message(const TF_Status*);
TF_SessionOptions* TF_NewSessionOptions(void);
void TF_SetConfig(TF_SessionOptions*, const void*, size_t, TF_Status*);
void TF_DeleteSessionOptions(TF_SessionOptions*);
TF_Graph* TF_NewGraph(void);
void TF_DeleteGraph(TF_Graph*);
TF_Session* TF_NewSession(TF_Graph*, const TF_SessionOptions*, TF_Status*);
void TF_DeleteSession(TF_Session*, TF_Status*);
}

namespace {

/** Bytes of each GPU in CUDA's order, or nothing where the driver can't be asked. */
std::vector<size_t> gpu_totals() {
  std::vector<size_t> totals;
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (driver == nullptr) return totals;
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count_devices = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  const auto get_device = reinterpret_cast<int (*)(int*, int)>(dlsym(driver, "cuDeviceGet"));
  const auto total_memory = reinterpret_cast<int (*)(size_t*, int)>(dlsym(driver, "cuDeviceTotalMem_v2"));
  int count = 0;
  if (!init || !count_devices || !get_device || !total_memory) return totals;
  if (init(0) != 0 || count_devices(&count) != 0) return totals;
  for (int index = 0; index < count; index++) {
    int device = 0;
    size_t bytes = 0;
    if (get_device(&device, index) == 0 && total_memory(&bytes, device) == 0) totals.push_back(bytes);
  }
  return totals;
}

std::string open_session(const void* config, size_t length) {
  TF_Status* status = TF_NewStatus();
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_SetConfig(options, config, length, status);
  if (TF_GetCode(status) == 0) {
    TF_Graph* graph = TF_NewGraph();
    TF_Session* session = TF_NewSession(graph, options, status);
    if (TF_GetCode(status) == 0) TF_DeleteSession(session, status);
    TF_DeleteGraph(graph);
  }
  const std::string message = TF_GetCode(status) == 0 ? "" : TF_Message(status);
  TF_DeleteSessionOptions(options);
  TF_DeleteStatus(status);
  return message;
}

napi_value call_totals(napi_env env, napi_callback_info) {
  const std::vector<size_t> totals = gpu_totals();
  napi_value array;
  napi_create_array_with_length(env, totals.size(), &array);
  for (size_t index = 0; index < totals.size(); index++) {
    napi_value bytes;
    napi_create_double(env, static_cast<double>(totals[index]), &bytes);
    napi_set_element(env, array, static_cast<uint32_t>(index), bytes);
  }
  return array;
}

napi_value call_open_session(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value config;
  napi_get_cb_info(env, info, &count, &config, nullptr, nullptr);
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (count != 1 || napi_get_typedarray_info(env, config, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    napi_throw_type_error(env, nullptr, "internal: openSession takes a ConfigProto's bytes");
    return nullptr;
  }
  const std::string message = open_session(data, length);
  napi_value text;
  napi_create_string_utf8(env, message.data(), message.size(), &text);
  return text;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "totals", NAPI_AUTO_LENGTH, call_totals, nullptr, &function);
  napi_set_named_property(env, exports, "totals", function);
  napi_create_function(env, "openSession", NAPI_AUTO_LENGTH, call_open_session, nullptr, &function);
  napi_set_named_property(env, exports, "openSession", function);
  return exports;
}
