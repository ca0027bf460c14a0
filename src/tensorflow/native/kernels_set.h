// All kernels for the processor that the including file is compiled for, under the name KERNEL_SET.
#include "kernels_add.h"
#include "kernels_depthwise.h"
#include "kernels_gelu.h"
#include "kernels_layer_norm.h"
#include "kernels_norm.h"
#include "kernels_scale.h"
#include "kernels_winograd.h"

namespace deep_cnn {

#define KERNELS(T)                                                                                              \
  {batch_norm<T>, batch_norm_grad<T>, normalise<T>, layer_norm<T>, layer_norm_grad<T>, gelu<T>,     add<T>,     \
   depthwise<T>,  depthwise_grad<T>,  scale<T>,     scale_grad<T>, winograd<T>,        winograd_room}

extern const KernelSet KERNEL_SET = {KERNELS(float), KERNELS(bfloat)};

}  // namespace deep_cnn
