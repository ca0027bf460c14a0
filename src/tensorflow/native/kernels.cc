// An addon that registers our kernels with TensorFlow, through its C interface (tensorflow/c/ops.h, tensorflow/c/kernels.h),
// and exports the names of the ops that there are then. On a processor without AVX2 there are none.

#include <node_api.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#include "kernels.h"

// What is used of TensorFlow's C interface. Its own headers are not everywhere complete.
extern "C" {
typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;
typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_OpKernelConstruction TF_OpKernelConstruction;
typedef struct TF_OpKernelContext TF_OpKernelContext;
typedef struct TF_AllocatorAttributes {
  size_t struct_size;
  unsigned char on_host;
} TF_AllocatorAttributes;
typedef enum TF_DataType { TF_FLOAT = 1, TF_BFLOAT16 = 14 } TF_DataType;
typedef enum TF_Code { TF_OK = 0, TF_INVALID_ARGUMENT = 3 } TF_Code;

TF_Status *TF_NewStatus(void);
void TF_DeleteStatus(TF_Status *);
TF_Code TF_GetCode(const TF_Status *);
void TF_SetStatus(TF_Status *, TF_Code, const char *);
void TF_DeleteTensor(TF_Tensor *);
int TF_NumDims(const TF_Tensor *);
int64_t TF_Dim(const TF_Tensor *, int);
void *TF_TensorData(const TF_Tensor *);

TF_OpDefinitionBuilder *TF_NewOpDefinitionBuilder(const char *);
void TF_OpDefinitionBuilderAddAttr(TF_OpDefinitionBuilder *, const char *);
void TF_OpDefinitionBuilderAddInput(TF_OpDefinitionBuilder *, const char *);
void TF_OpDefinitionBuilderAddOutput(TF_OpDefinitionBuilder *, const char *);
void TF_OpDefinitionBuilderSetShapeInferenceFunction(TF_OpDefinitionBuilder *,
                                                     void (*)(TF_ShapeInferenceContext *, TF_Status *));
void TF_RegisterOpDefinition(TF_OpDefinitionBuilder *, TF_Status *);
void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext *, TF_Status *);

TF_KernelBuilder *TF_NewKernelBuilder(const char *, const char *, void *(*)(TF_OpKernelConstruction *),
                                      void (*)(void *, TF_OpKernelContext *), void (*)(void *));
void TF_KernelBuilder_TypeConstraint(TF_KernelBuilder *, const char *, TF_DataType, TF_Status *);
void TF_RegisterKernelBuilder(const char *, TF_KernelBuilder *, TF_Status *);
void TF_OpKernelConstruction_GetAttrInt32(TF_OpKernelConstruction *, const char *, int32_t *, TF_Status *);
void TF_OpKernelConstruction_GetAttrFloat(TF_OpKernelConstruction *, const char *, float *, TF_Status *);
void TF_OpKernelConstruction_GetAttrInt32List(TF_OpKernelConstruction *, const char *, int32_t *, int, TF_Status *);
void TF_OpKernelConstruction_GetAttrType(TF_OpKernelConstruction *, const char *, TF_DataType *, TF_Status *);
int TF_NumInputs(TF_OpKernelContext *);
void TF_GetInput(TF_OpKernelContext *, int, TF_Tensor **, TF_Status *);
TF_Tensor *TF_AllocateOutput(TF_OpKernelContext *, int, TF_DataType, const int64_t *, int, size_t, TF_Status *);
TF_Tensor *TF_ForwardInputOrAllocateOutput(TF_OpKernelContext *, const int *, int, int, const int64_t *, int, int *,
                                           TF_Status *);
TF_Tensor *TF_AllocateTemp(TF_OpKernelContext *, TF_DataType, const int64_t *, int, TF_AllocatorAttributes *, TF_Status *);
void TF_OpKernelConstruction_Failure(TF_OpKernelConstruction *, TF_Status *);
void TF_OpKernelContext_Failure(TF_OpKernelContext *, TF_Status *);
}

namespace deep_cnn {
namespace {

/** Whether the user has named this kind of processor: for tests and comparisons. */
bool is_wanted(const char *kind) {
  const char *wanted = getenv("DEEP_CNN_KERNELS");
  return wanted && strcmp(wanted, kind) == 0;
}

#if defined(__x86_64__)
/** What the processor says of itself (CPUID; zig's runtime has no __builtin_cpu_supports). */
struct Features {
  unsigned a = 0, b = 0, c = 0, d = 0;
  explicit Features(unsigned page, unsigned part = 0) { __get_cpuid_count(page, part, &a, &b, &c, &d); }
};

bool has_all(unsigned found, std::initializer_list<int> wanted) {
  for (int bit : wanted) {
    if (!(found >> bit & 1)) return false;
  }
  return true;
}

/** The kinds of registers that the operating system keeps for each thread. */
unsigned kept_registers() {
  if (!has_all(Features(1).c, {27})) return 0;
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

// AVX2 and FMA; AVX-512's F, DQ, BW and VL.
bool has_avx2() {
  return has_all(kept_registers(), {1, 2}) && has_all(Features(1).c, {12, 28}) && has_all(Features(7).b, {5});
}
bool has_avx512() {
  return has_avx2() && has_all(kept_registers(), {5, 6, 7}) && has_all(Features(7).b, {16, 17, 30, 31}) &&
         !is_wanted("avx2");
}
bool has_avx512_bf16() { return has_avx512() && has_all(Features(7, 1).a, {5}) && !is_wanted("avx512"); }
#endif

const KernelSet *set_for_processor() {
#if defined(__x86_64__)
  if (!has_avx2()) return nullptr;
#ifdef DEEP_CNN_BFLOAT
  if (has_avx512_bf16()) return &kernels_avx512_bf16;
#endif
  return has_avx512() ? &kernels_avx512 : &kernels_avx2;
#else
  return &kernels_base;
#endif
}

/** For bfloat16: null where the processor does not multiply matrices, or the operating system does not let it. */
const FilterGradKernel *bfloat_filter_grad_for_processor() {
#ifdef DEEP_CNN_BFLOAT
  constexpr long ask_for_permission = 0x1023, tiles = 18;
  const bool has_amx = has_avx512_bf16() && has_all(Features(7).d, {22, 24});
  if (has_amx && syscall(SYS_arch_prctl, ask_for_permission, tiles) == 0) return &filter_grad_amx;
#endif
  return nullptr;
}

const KernelSet *const kernels = set_for_processor();
const FilterGradKernel *const bfloat_filter_grad = bfloat_filter_grad_for_processor();

// For float32: null with AVX-512, where TensorFlow's were not compared, and on other processors than x86.
#if defined(__x86_64__)
const FilterGradKernel *const float_filter_grad = kernels == &kernels_avx2 ? &filter_grad_avx2 : nullptr;
const GroupedKernel *const grouped = kernels == &kernels_avx2 ? &grouped_avx2 : nullptr;
#else
const FilterGradKernel *const float_filter_grad = nullptr;
const GroupedKernel *const grouped = nullptr;
#endif

/** A node's attributes; those that its op does not have stay zero. */
struct Attributes {
  TF_DataType type;
  Activation activation;
  float epsilon, momentum;
  int32_t pool, sides, pools, mores, norms, stride;
  int32_t padding[4];  // top, bottom, left, right
  int32_t window[2];   // height, width

  const Kernels &of_type() const { return type == TF_BFLOAT16 ? kernels->bfloat16 : kernels->float32; }
  size_t bytes() const { return type == TF_BFLOAT16 ? 2 : 4; }
};

/** One run of a kernel: its inputs and outputs, which are released at its end. */
class Call {
 public:
  explicit Call(TF_OpKernelContext *context) : context_(context), status_(TF_NewStatus()) {}
  ~Call() {
    if (failed()) TF_OpKernelContext_Failure(context_, status_);
    for (TF_Tensor *tensor : held_) TF_DeleteTensor(tensor);
    TF_DeleteStatus(status_);
  }

  bool failed() const { return TF_GetCode(status_) != TF_OK; }
  int inputs() const { return TF_NumInputs(context_); }
  void require(bool condition, const char *message) {
    if (!condition && !failed()) TF_SetStatus(status_, TF_INVALID_ARGUMENT, message);
  }

  TF_Tensor *input(int index) {
    TF_Tensor *tensor = nullptr;
    TF_GetInput(context_, index, &tensor, status_);
    return hold(tensor);
  }

  template <class T = void>
  T *data(TF_Tensor *tensor) {
    return tensor ? (T *)TF_TensorData(tensor) : nullptr;
  }

  template <class T = void>
  T *output(int index, TF_DataType type, const std::vector<int64_t> &shape) {
    size_t bytes = type == TF_BFLOAT16 ? 2 : 4;
    for (int64_t size : shape) bytes *= size;
    return data<T>(hold(TF_AllocateOutput(context_, index, type, shape.data(), (int)shape.size(), bytes, status_)));
  }

  /** An output in place of an input of the same shape, where nobody else needs it; to be called before `input`. */
  void *output_in_place(int index, int input, const std::vector<int64_t> &shape) {
    int forwarded;
    return data(hold(TF_ForwardInputOrAllocateOutput(context_, &input, 1, index, shape.data(), (int)shape.size(),
                                                     &forwarded, status_)));
  }

  /** Room for `count` numbers until the call's end. */
  float *room(int64_t count) {
    TF_AllocatorAttributes attributes = {sizeof attributes, 0};
    return data<float>(hold(TF_AllocateTemp(context_, TF_FLOAT, &count, 1, &attributes, status_)));
  }

 private:
  TF_Tensor *hold(TF_Tensor *tensor) {
    if (tensor) held_.push_back(tensor);
    return tensor;
  }

  TF_OpKernelContext *context_;
  TF_Status *status_;
  std::vector<TF_Tensor *> held_;
};

std::vector<int64_t> shape_of(const TF_Tensor *tensor) {
  std::vector<int64_t> shape;
  for (int axis = 0; tensor && axis < TF_NumDims(tensor); axis++) shape.push_back(TF_Dim(tensor, axis));
  return shape;
}

int64_t size_of(const TF_Tensor *tensor) {
  int64_t size = 1;
  for (int64_t length : shape_of(tensor)) size *= length;
  return size;
}

constexpr const char *misfit = "a kernel of deep-cnn got inputs that do not fit";

// Inputs: x, scale, offset, running mean and variance, and what is added before the activation, if anything. Outputs: y,
// the running statistics moved, the batch's mean and 1 / deviation, and the mean of y over each image, if wanted.
void compute_batch_norm(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *in[6] = {};
  for (int i = 0; i < call.inputs() && i < 6; i++) in[i] = call.input(i);
  const auto shape = shape_of(in[0]);
  call.require(shape.size() == 4, misfit);
  if (call.failed()) return;
  const int64_t channels = shape[3];
  for (int i = 1; i < 5; i++) call.require(size_of(in[i]) == channels, misfit);
  call.require(!in[5] || shape_of(in[5]) == shape, misfit);
  const std::vector<int64_t> each = {channels};
  BatchNorm op = {};
  op.rows = shape[0] * shape[1] * shape[2], op.image_rows = shape[1] * shape[2], op.channels = channels;
  op.activation = attributes.activation, op.epsilon = attributes.epsilon, op.momentum = attributes.momentum;
  op.x = call.data(in[0]), op.side = call.data(in[5]);
  op.scale = call.data<float>(in[1]), op.offset = call.data<float>(in[2]);
  op.running_mean = call.data<float>(in[3]), op.running_variance = call.data<float>(in[4]);
  op.y = call.output(0, attributes.type, shape);
  op.new_mean = call.output<float>(1, TF_FLOAT, each);
  op.new_variance = call.output<float>(2, TF_FLOAT, each);
  op.mean = call.output<float>(3, TF_FLOAT, each);
  op.rstd = call.output<float>(4, TF_FLOAT, each);
  float *pooled = call.output<float>(5, TF_FLOAT, {attributes.pool ? shape[0] : 0, 1, 1, channels});
  op.pooled = attributes.pool ? pooled : nullptr;
  call.require(op.rows > 0, misfit);
  if (!call.failed()) attributes.of_type().batch_norm(op);
}

// Inputs: dy, x, scale, offset, the batch's mean and 1 / deviation, then y where something was added before the
// activation, then the gradient at the means over images where they were wanted, then, where there is y, what is to be added
// to dy, if anything. Outputs: dx, dscale, doffset, and, where something was added, its gradient.
void compute_batch_norm_grad(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  const int masks = attributes.sides;
  TF_Tensor *x = call.input(1);
  const auto shape = shape_of(x);
  call.require(shape.size() == 4, misfit);
  if (call.failed()) return;
  const int64_t channels = shape[3];
  const std::vector<int64_t> each = {channels};
  BatchNormGrad op = {};
  // Whichever is written first takes the place of dy.
  if (masks) {
    op.dside = call.output_in_place(3, 0, shape);
    op.dx = call.output(0, attributes.type, shape);
  } else {
    op.dx = call.output_in_place(0, 0, shape);
  }
  op.dscale = call.output<float>(1, TF_FLOAT, each);
  op.doffset = call.output<float>(2, TF_FLOAT, each);
  if (!masks) call.output(3, attributes.type, {0});
  TF_Tensor *in[9] = {};
  for (int i = 0; i < call.inputs() && i < 9; i++) in[i] = i == 1 ? x : call.input(i);
  call.require(shape_of(in[0]) == shape, misfit);
  for (int i = 2; i < 6; i++) call.require(size_of(in[i]) == channels, misfit);
  TF_Tensor *dpooled = attributes.pools ? in[6 + masks] : nullptr;
  TF_Tensor *more = attributes.mores ? in[6 + masks + attributes.pools] : nullptr;
  call.require(!masks || shape_of(in[6]) == shape, misfit);
  call.require(!more || (masks && shape_of(more) == shape), misfit);
  call.require(!dpooled || size_of(dpooled) == shape[0] * channels, misfit);
  op.rows = shape[0] * shape[1] * shape[2], op.image_rows = shape[1] * shape[2], op.channels = channels;
  op.activation = attributes.activation;
  op.dy = call.data(in[0]), op.x = call.data(x), op.y = masks ? call.data(in[6]) : nullptr;
  op.scale = call.data<float>(in[2]), op.offset = call.data<float>(in[3]);
  op.mean = call.data<float>(in[4]), op.rstd = call.data<float>(in[5]);
  op.more = call.data(more), op.dpooled = call.data<float>(dpooled);
  call.require(op.rows > 0, misfit);
  if (!call.failed()) attributes.of_type().batch_norm_grad(op);
}

/** The four inputs from `first` on, each a number for each channel, as what was made of x before; `into`, or null without. */
const Norm *norm_of(const Attributes &attributes, Call &call, int first, int64_t channels, Norm &into) {
  if (!attributes.norms) return nullptr;
  call.require(attributes.norms == 4, misfit);
  const float *each[4] = {};
  for (int i = 0; i < 4 && !call.failed(); i++) {
    TF_Tensor *tensor = call.input(first + i);
    call.require(size_of(tensor) == channels, misfit);
    each[i] = call.data<float>(tensor);
  }
  into = {attributes.activation, each[0], each[1], each[2], each[3]};
  return &into;
}

// Inputs: x, scale, offset, the batch's mean and 1 / deviation, and what is added before the activation, if anything.
// Output: the y that batch norm made of them, to the bit.
void compute_normalise(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *in[6] = {};
  for (int i = 0; i < call.inputs() && i < 6; i++) in[i] = call.input(i);
  const auto shape = shape_of(in[0]);
  call.require(shape.size() == 4, misfit);
  for (int i = 1; i < 5 && !call.failed(); i++) call.require(size_of(in[i]) == shape[3], misfit);
  call.require(!in[5] || shape_of(in[5]) == shape, misfit);
  if (call.failed()) return;
  BatchNorm op = {};
  op.rows = shape[0] * shape[1] * shape[2], op.image_rows = shape[1] * shape[2], op.channels = shape[3];
  op.activation = attributes.activation;
  op.x = call.data(in[0]), op.side = call.data(in[5]);
  op.scale = call.data<float>(in[1]), op.offset = call.data<float>(in[2]);
  op.mean = call.data<float>(in[3]), op.rstd = call.data<float>(in[4]);
  op.y = call.output(0, attributes.type, shape);
  if (!call.failed()) attributes.of_type().normalise(op);
}

LayerNorm layer_norm_of(const Attributes &attributes, Call &call, TF_Tensor *x, TF_Tensor *scale) {
  LayerNorm op = {};
  const auto shape = shape_of(x);
  call.require(!shape.empty() && shape.back() > 0 && size_of(scale) == shape.back(), misfit);
  if (call.failed()) return op;
  op.channels = shape.back(), op.rows = size_of(x) / op.channels, op.epsilon = attributes.epsilon;
  op.x = call.data(x), op.scale = call.data<float>(scale);
  return op;
}

// Inputs: x, scale and offset, the latter [C].
void compute_layer_norm(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(0), *offset = call.input(2);
  LayerNorm op = layer_norm_of(attributes, call, x, call.input(1));
  call.require(size_of(offset) == op.channels, misfit);
  if (call.failed()) return;
  op.offset = call.data<float>(offset);
  op.y = call.output(0, attributes.type, shape_of(x));
  if (!call.failed()) attributes.of_type().layer_norm(op);
}

// Inputs: dy, x and scale. Outputs: dx, dscale and doffset.
void compute_layer_norm_grad(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(1);
  LayerNorm op = layer_norm_of(attributes, call, x, call.input(2));
  if (call.failed()) return;
  op.dx = call.output_in_place(0, 0, shape_of(x));
  op.dscale = call.output<float>(1, TF_FLOAT, {op.channels});
  op.doffset = call.output<float>(2, TF_FLOAT, {op.channels});
  TF_Tensor *dy = call.input(0);
  call.require(shape_of(dy) == shape_of(x), misfit);
  op.dy = call.data(dy);
  if (!call.failed()) attributes.of_type().layer_norm_grad(op);
}

// Input: x. Or, as the gradient, dy and x, and dx in place of y.
template <bool IsGradient>
void compute_gelu(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(IsGradient ? 1 : 0);
  Gelu op = {};
  op.count = size_of(x), op.x = call.data(x);
  if (call.failed()) return;
  if (IsGradient) {
    op.dx = call.output_in_place(0, 0, shape_of(x));
    TF_Tensor *dy = call.input(0);
    call.require(shape_of(dy) == shape_of(x), misfit);
    op.dy = call.data(dy);
  } else {
    op.y = call.output(0, attributes.type, shape_of(x));
  }
  if (!call.failed()) attributes.of_type().gelu(op);
}

// Inputs: two tensors of one shape. Output: their sum.
void compute_add(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *a = call.input(0);
  Add op = {};
  op.y = call.output_in_place(0, 1, shape_of(a));
  TF_Tensor *b = call.input(1);
  call.require(shape_of(a) == shape_of(b), misfit);
  if (call.failed()) return;
  op.count = size_of(a), op.a = call.data(a), op.b = call.data(b);
  attributes.of_type().add(op);
}

/** What depthwise and grouped convolutions have in common: where windows lie. */
void place_windows(const Attributes &attributes, Call &call, TF_Tensor *x, TF_Tensor *filter, Depthwise &op) {
  const auto shape = shape_of(x), window = shape_of(filter);
  call.require(shape.size() == 4 && window.size() == 4 && window[0] == window[1], misfit);
  call.require(attributes.stride == 1 || attributes.stride == 2, misfit);
  if (call.failed()) return;
  op.images = shape[0], op.height = shape[1], op.width = shape[2], op.channels = shape[3];
  op.kernel = window[0], op.stride = attributes.stride;
  op.top = attributes.padding[0], op.left = attributes.padding[2];
  for (int32_t zeros : attributes.padding) call.require(zeros < op.kernel, misfit);
  const int64_t height = op.height + op.top + attributes.padding[1], width = op.width + op.left + attributes.padding[3];
  call.require(height >= op.kernel && width >= op.kernel, misfit);
  op.out_height = (height - op.kernel) / op.stride + 1, op.out_width = (width - op.kernel) / op.stride + 1;
  op.x = call.data(x), op.filter = call.data<float>(filter);
}

/** The filter is [K, K, C, 1]. */
struct DepthwiseKind {
  static Depthwise of(const Attributes &attributes, Call &call, TF_Tensor *x, TF_Tensor *filter) {
    Depthwise op = {};
    place_windows(attributes, call, x, filter, op);
    const bool known = op.kernel == 3 || op.kernel == 5 || (op.kernel == 7 && op.stride == 1);
    call.require(known && op.channels >= longest_vector && size_of(filter) == op.kernel * op.kernel * op.channels, misfit);
    return op;
  }
  static void compute(const Attributes &attributes, Call &, Depthwise &op) { attributes.of_type().depthwise(op); }
  static void gradients(const Attributes &attributes, Call &, Depthwise &op) { attributes.of_type().depthwise_grad(op); }
};

/** The filter is [3, 3, channels of a group, C]. */
struct GroupedKind {
  static Grouped of(const Attributes &attributes, Call &call, TF_Tensor *x, TF_Tensor *filter) {
    Grouped op = {};
    place_windows(attributes, call, x, filter, op);
    if (call.failed()) return op;
    op.group = shape_of(filter)[2];
    const bool known = op.kernel == 3 && (op.group == 4 || (op.group > 0 && op.group % 8 == 0));
    call.require(known && shape_of(filter)[3] == op.channels && op.channels % 8 == 0, misfit);
    call.require(known && op.channels % op.group == 0, misfit);
    return op;
  }
  static void compute(const Attributes &, Call &, Grouped &op) { grouped->compute(op); }
  static void gradients(const Attributes &, Call &call, Grouped &op) {
    op.room = call.room(grouped->room(op));
    if (!call.failed()) grouped->gradients(op);
  }
};

// Inputs: x and the filter, which is float32 whatever x is.
template <class Kind>
void compute_windows(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(0), *filter = call.input(1);
  auto op = Kind::of(attributes, call, x, filter);
  if (call.failed()) return;
  op.y = call.output(0, attributes.type, {op.images, op.out_height, op.out_width, op.channels});
  if (!call.failed()) Kind::compute(attributes, call, op);
}

// Inputs: x, the filter, dy, and the batch norm that x went through before, if any: its scale, offset, mean and 1 /
// deviation. Outputs: the gradient at what was convolved, and the filter's.
template <class Kind>
void compute_windows_grad(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(0), *filter = call.input(1), *dy = call.input(2);
  auto op = Kind::of(attributes, call, x, filter);
  if (call.failed()) return;
  const std::vector<int64_t> expected = {op.images, op.out_height, op.out_width, op.channels};
  call.require(shape_of(dy) == expected, misfit);
  Norm norm;
  op.norm = norm_of(attributes, call, 3, op.channels, norm);
  if (call.failed()) return;
  op.dy = call.data(dy);
  op.dx = call.output(0, attributes.type, shape_of(x));
  op.dfilter = call.output<float>(1, TF_FLOAT, shape_of(filter));
  if (!call.failed()) Kind::gradients(attributes, call, op);
}

Scale scale_of(Call &call, TF_Tensor *x, TF_Tensor *by) {
  Scale op = {};
  const auto shape = shape_of(x);
  call.require(shape.size() == 4 && size_of(by) == shape[0] * shape[3], misfit);
  if (call.failed()) return op;
  op.images = shape[0], op.image_rows = shape[1] * shape[2], op.channels = shape[3];
  op.x = call.data(x), op.by = call.data(by);
  return op;
}

// Inputs: x and [N, 1, 1, C].
void compute_scale(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(0), *by = call.input(1);
  Scale op = scale_of(call, x, by);
  if (call.failed()) return;
  op.y = call.output(0, attributes.type, shape_of(x));
  if (!call.failed()) attributes.of_type().scale(op);
}

// Inputs: dy, x and what it was scaled by, and the batch norm that x went through before, if any, as above. Outputs: the
// gradients at what was scaled and by what.
void compute_scale_grad(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(1), *by = call.input(2);
  Scale op = scale_of(call, x, by);
  if (call.failed()) return;
  op.dx = call.output_in_place(0, 0, shape_of(x));
  op.dby = call.output(1, attributes.type, shape_of(by));
  TF_Tensor *dy = call.input(0);
  call.require(shape_of(dy) == shape_of(x), misfit);
  op.dy = call.data(dy);
  Norm norm;
  op.norm = norm_of(attributes, call, 3, op.channels, norm);
  if (!call.failed()) attributes.of_type().scale_grad(op);
}

void run_winograd(const Attributes &attributes, Call &call, Winograd &op) {
  if (call.failed()) return;
  const Kernels &kernels = attributes.of_type();
  op.room = call.room(kernels.winograd_room(op));
  if (!call.failed()) kernels.winograd(op);
}

// Inputs: x and the filter [3, 3, C, K], which is float32 whatever x is. Output: y. Or, as the gradient, dy in place of x
// and dx in place of y.
template <bool IsGradient>
void compute_winograd(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *images = call.input(0), *filter = call.input(1);
  const auto shape = shape_of(images), window = shape_of(filter);
  const bool fits = shape.size() == 4 && window.size() == 4 && window[0] == 3 && window[1] == 3 &&
                    shape[3] == window[IsGradient ? 3 : 2] && window[2] % longest_vector == 0 &&
                    window[3] % longest_vector == 0;
  call.require(fits, misfit);
  if (call.failed()) return;
  Winograd op = {};
  op.images = shape[0], op.height = shape[1], op.width = shape[2], op.channels = window[2], op.outputs = window[3];
  op.filter = call.data<float>(filter);
  (IsGradient ? op.dy : op.x) = call.data(images);
  (IsGradient ? op.dx : op.y) =
      call.output(0, attributes.type, {shape[0], shape[1], shape[2], window[IsGradient ? 2 : 3]});
  run_winograd(attributes, call, op);
}

// Inputs: x and dy. Output: the filter's gradient.
void compute_winograd_filter_grad(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(0), *dy = call.input(1);
  const auto shape = shape_of(x), gradient = shape_of(dy);
  const bool fits = shape.size() == 4 && gradient.size() == 4 && shape[0] == gradient[0] && shape[1] == gradient[1] &&
                    shape[2] == gradient[2] && shape[3] % longest_vector == 0 && gradient[3] % longest_vector == 0;
  call.require(fits, misfit);
  if (call.failed()) return;
  Winograd op = {};
  op.images = shape[0], op.height = shape[1], op.width = shape[2], op.channels = shape[3], op.outputs = gradient[3];
  op.x = call.data(x), op.dy = call.data(dy);
  op.dfilter = call.output<float>(0, TF_FLOAT, {3, 3, op.channels, op.outputs});
  run_winograd(attributes, call, op);
}

/** Zeros before the first pixel, for as many results as there are: half of what is missing. */
int64_t zeros_before(int64_t length, int64_t out, int64_t window, int64_t stride) {
  const int64_t missing = (out - 1) * stride + window - length;
  return missing > 0 ? missing / 2 : 0;
}

// Inputs: x and dy, and, in float32, the batch norm that x went through before, if any: its scale, offset, mean and 1 /
// deviation. Output: the filter's gradient, in float32.
void compute_filter_grad(const Attributes &attributes, TF_OpKernelContext *context) {
  Call call(context);
  TF_Tensor *x = call.input(0), *dy = call.input(1);
  const auto shape = shape_of(x), gradient = shape_of(dy);
  const int64_t window[2] = {attributes.window[0], attributes.window[1]}, stride = attributes.stride;
  const bool fits = shape.size() == 4 && gradient.size() == 4 && shape[0] == gradient[0] && size_of(dy) > 0 &&
                    window[0] > 0 && window[1] > 0 && (stride == 1 || stride == 2);
  call.require(fits, misfit);
  if (call.failed()) return;
  FilterGrad op = {};
  op.images = shape[0], op.height = shape[1], op.width = shape[2], op.channels = shape[3], op.outputs = gradient[3];
  op.out_height = gradient[1], op.out_width = gradient[2];
  op.kernel_height = window[0], op.kernel_width = window[1], op.stride = stride;
  op.top = zeros_before(op.height, op.out_height, window[0], stride);
  op.left = zeros_before(op.width, op.out_width, window[1], stride);
  Norm norm;
  op.norm = norm_of(attributes, call, 2, op.channels, norm);
  call.require(!op.norm || window[0] * window[1] == 1, misfit);
  if (call.failed()) return;
  op.x = call.data(x), op.dy = call.data(dy);
  op.dfilter = call.output<float>(0, TF_FLOAT, {window[0], window[1], op.channels, op.outputs});
  if (call.failed()) return;
  const FilterGradKernel &kernel = *(attributes.type == TF_BFLOAT16 ? bfloat_filter_grad : float_filter_grad);
  op.room = call.room(kernel.room(op));
  if (!call.failed()) kernel.compute(op);
}

struct OpSpec {
  const char *name;
  std::vector<const char *> attributes, inputs, outputs;
  void (*compute)(void *, TF_OpKernelContext *);
  bool exists = true;
};

template <void (*Compute)(const Attributes &, TF_OpKernelContext *)>
void with_attributes(void *attributes, TF_OpKernelContext *context) {
  Compute(*(const Attributes *)attributes, context);
}

#define TYPE "T: {float, bfloat16}"
#define ACTIVATION "activation: int"
#define NORMS "norms: int >= 0"
#define NORM "norm: norms * float"
#define STRIDE "stride: int"
#define WINDOW "window: list(int)"
#define PADDING "padding: list(int)"

const OpSpec specs[] = {
    {"DeepCnnBatchNorm",
     {TYPE, ACTIVATION, "epsilon: float", "momentum: float", "pool: int", "sides: int >= 0"},
     {"x: T", "scale: float", "offset: float", "running_mean: float", "running_variance: float", "side: sides * T"},
     {"y: T", "new_mean: float", "new_variance: float", "mean: float", "rstd: float", "pooled: float"},
     with_attributes<compute_batch_norm>},
    {"DeepCnnBatchNormGrad",
     {TYPE, ACTIVATION, "sides: int >= 0", "pools: int >= 0", "mores: int >= 0"},
     {"dy: T", "x: T", "scale: float", "offset: float", "mean: float", "rstd: float", "y: sides * T",
      "dpooled: pools * float", "more: mores * T"},
     {"dx: T", "dscale: float", "doffset: float", "dside: T"},
     with_attributes<compute_batch_norm_grad>},
    {"DeepCnnNormalise",
     {TYPE, ACTIVATION, "sides: int >= 0"},
     {"x: T", "scale: float", "offset: float", "mean: float", "rstd: float", "side: sides * T"},
     {"y: T"},
     with_attributes<compute_normalise>},
    {"DeepCnnLayerNorm",
     {TYPE, "epsilon: float"},
     {"x: T", "scale: float", "offset: float"},
     {"y: T"},
     with_attributes<compute_layer_norm>},
    {"DeepCnnLayerNormGrad",
     {TYPE, "epsilon: float"},
     {"dy: T", "x: T", "scale: float"},
     {"dx: T", "dscale: float", "doffset: float"},
     with_attributes<compute_layer_norm_grad>},
    {"DeepCnnGelu", {TYPE}, {"x: T"}, {"y: T"}, with_attributes<compute_gelu<false>>},
    {"DeepCnnGeluGrad", {TYPE}, {"dy: T", "x: T"}, {"dx: T"}, with_attributes<compute_gelu<true>>},
    {"DeepCnnAdd", {TYPE}, {"a: T", "b: T"}, {"y: T"}, with_attributes<compute_add>},
    {"DeepCnnDepthwise",
     {TYPE, STRIDE, PADDING},
     {"x: T", "filter: float"},
     {"y: T"},
     with_attributes<compute_windows<DepthwiseKind>>},
    {"DeepCnnDepthwiseGrad",
     {TYPE, ACTIVATION, NORMS, STRIDE, PADDING},
     {"x: T", "filter: float", "dy: T", NORM},
     {"dx: T", "dfilter: float"},
     with_attributes<compute_windows_grad<DepthwiseKind>>},
    {"DeepCnnScale", {TYPE}, {"x: T", "by: T"}, {"y: T"}, with_attributes<compute_scale>},
    {"DeepCnnScaleGrad",
     {TYPE, ACTIVATION, NORMS},
     {"dy: T", "x: T", "by: T", NORM},
     {"dx: T", "dby: T"},
     with_attributes<compute_scale_grad>},
    {"DeepCnnWinograd", {TYPE}, {"x: T", "filter: float"}, {"y: T"}, with_attributes<compute_winograd<false>>},
    {"DeepCnnWinogradInputGrad",
     {TYPE},
     {"dy: T", "filter: float"},
     {"dx: T"},
     with_attributes<compute_winograd<true>>},
    {"DeepCnnWinogradFilterGrad",
     {TYPE},
     {"x: T", "dy: T"},
     {"dfilter: float"},
     with_attributes<compute_winograd_filter_grad>},
    {"DeepCnnFilterGrad",
     {"T: {bfloat16}", STRIDE, WINDOW},
     {"x: T", "dy: T"},
     {"dfilter: float"},
     with_attributes<compute_filter_grad>,
     bfloat_filter_grad != nullptr},
    {"DeepCnnFloatFilterGrad",
     {"T: {float}", STRIDE, WINDOW, ACTIVATION, NORMS},
     {"x: T", "dy: T", NORM},
     {"dfilter: float"},
     with_attributes<compute_filter_grad>,
     float_filter_grad != nullptr},
    {"DeepCnnGrouped",
     {"T: {float}", STRIDE, PADDING},
     {"x: T", "filter: float"},
     {"y: T"},
     with_attributes<compute_windows<GroupedKind>>,
     grouped != nullptr},
    {"DeepCnnGroupedGrad",
     {"T: {float}", ACTIVATION, NORMS, STRIDE, PADDING},
     {"x: T", "filter: float", "dy: T", NORM},
     {"dx: T", "dfilter: float"},
     with_attributes<compute_windows_grad<GroupedKind>>,
     grouped != nullptr},
};

bool has_attribute(const OpSpec &spec, const char *name) {
  for (const char *each : spec.attributes) {
    if (strncmp(each, name, strlen(name)) == 0 && each[strlen(name)] == ':') return true;
  }
  return false;
}

template <size_t Index>
void *read_attributes(TF_OpKernelConstruction *construction) {
  const OpSpec &spec = specs[Index];
  auto *found = new Attributes{};
  TF_Status *status = TF_NewStatus();
  const auto ok = [&] { return TF_GetCode(status) == TF_OK; };
  const auto integer = [&](const char *name, int32_t *to) {
    if (ok() && has_attribute(spec, name)) TF_OpKernelConstruction_GetAttrInt32(construction, name, to, status);
  };
  const auto integers = [&](const char *name, int32_t *to, int count) {
    if (ok() && has_attribute(spec, name)) TF_OpKernelConstruction_GetAttrInt32List(construction, name, to, count, status);
  };
  const auto number = [&](const char *name, float *to) {
    if (ok() && has_attribute(spec, name)) TF_OpKernelConstruction_GetAttrFloat(construction, name, to, status);
  };
  int32_t activation = 0;
  TF_OpKernelConstruction_GetAttrType(construction, "T", &found->type, status);
  integer("activation", &activation);
  integer("pool", &found->pool);
  integer("sides", &found->sides);
  integer("pools", &found->pools);
  integer("mores", &found->mores);
  integer("norms", &found->norms);
  integer("stride", &found->stride);
  number("epsilon", &found->epsilon);
  number("momentum", &found->momentum);
  integers("padding", found->padding, 4);
  integers("window", found->window, 2);
  found->activation = (Activation)activation;
  if (!ok()) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return found;
}

void delete_attributes(void *attributes) { delete (Attributes *)attributes; }

template <size_t... Index>
std::vector<void *(*)(TF_OpKernelConstruction *)> readers_of(std::index_sequence<Index...>) {
  return {read_attributes<Index>...};
}

constexpr size_t op_count = sizeof specs / sizeof *specs;
const auto readers = readers_of(std::make_index_sequence<op_count>());

bool register_op(size_t index) {
  const OpSpec &spec = specs[index];
  TF_Status *status = TF_NewStatus();
  TF_OpDefinitionBuilder *op = TF_NewOpDefinitionBuilder(spec.name);
  for (const char *each : spec.attributes) TF_OpDefinitionBuilderAddAttr(op, each);
  for (const char *each : spec.inputs) TF_OpDefinitionBuilderAddInput(op, each);
  for (const char *each : spec.outputs) TF_OpDefinitionBuilderAddOutput(op, each);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, TF_ShapeInferenceContextSetUnknownShape);
  TF_RegisterOpDefinition(op, status);
  for (TF_DataType type : {TF_FLOAT, TF_BFLOAT16}) {
    if (TF_GetCode(status) != TF_OK) break;
    if (!strstr(spec.attributes[0], type == TF_FLOAT ? "{float" : "bfloat16")) continue;
    TF_KernelBuilder *kernel = TF_NewKernelBuilder(spec.name, "CPU", readers[index], spec.compute, delete_attributes);
    TF_KernelBuilder_TypeConstraint(kernel, "T", type, status);
    if (TF_GetCode(status) == TF_OK) TF_RegisterKernelBuilder(spec.name, kernel, status);
  }
  const bool done = TF_GetCode(status) == TF_OK;
  TF_DeleteStatus(status);
  return done;
}

/** Registers all ops that the processor has, once a process, and returns their names: all or none. */
std::vector<const char *> register_all() {
  std::vector<const char *> names;
  for (size_t index = 0; kernels && index < op_count; index++) {
    if (!specs[index].exists) continue;
    if (!register_op(index)) return {};
    names.push_back(specs[index].name);
  }
  return names;
}

napi_value initialise(napi_env env, napi_value exports) {
  static const std::vector<const char *> found = register_all();
  napi_value names;
  napi_create_array_with_length(env, found.size(), &names);
  for (size_t index = 0; index < found.size(); index++) {
    napi_value name;
    napi_create_string_utf8(env, found[index], NAPI_AUTO_LENGTH, &name);
    napi_set_element(env, names, (uint32_t)index, name);
  }
  napi_set_named_property(env, exports, "ops", names);
  return exports;
}

}  // namespace
}  // namespace deep_cnn

NAPI_MODULE(NODE_GYP_MODULE_NAME, deep_cnn::initialise)
