// What our kernels for TensorFlow compute, apart from TensorFlow: batch norm with an activation, layer norm, GELU, addition,
// depthwise convolution, convolution by 3 x 3 pixels, and scaling of channels, each with its gradients, on images
// [N, H, W, C] in float32 or bfloat16; and the gradient of any convolution's filter, in bfloat16 on processors that multiply
// matrices, in float32 on those with AVX2 and without AVX-512, where there are grouped convolutions, too.
//
// Sums are made over blocks whose bounds follow from the shapes alone, and added up in order: the bits do not depend on
// the number of threads.
#pragma once

#include <cstdint>

// Whether the compiler knows the bfloat16 of AVX-512 and AMX: GCC since 11, clang since 12. Set-up defines DEEP_CNN_PLAIN
// where the assembler behind it does not.
#if defined(__x86_64__) && !defined(DEEP_CNN_PLAIN) && (__has_include(<amxbf16intrin.h>) || __has_include(<amxintrin.h>))
#define DEEP_CNN_BFLOAT
#endif

// Some versions of clang want to be told that AVX-512 has vectors of 512 bits.
#if defined(__clang__) && __clang_major__ >= 18 && __clang_major__ < 22
#define AVX512 "evex512,avx512f,avx512bw,avx512dq,avx512vl"
#else
#define AVX512 "avx512f,avx512bw,avx512dq,avx512vl"
#endif

namespace deep_cnn {

/** Runs `task(work, 0)` to `task(work, count - 1)` on all threads, in any order, and returns when all have ended. */
void parallel(int64_t count, void (*task)(const void *work, int64_t index), const void *work);

enum class Activation { none, relu, relu6, silu, hard_swish };

/** What a batch norm has for each channel once it knows the batch's mean and 1 / deviation. */
struct Norm {
  Activation activation;
  const float *scale, *offset, *mean, *rstd;
};

struct BatchNorm {
  /** `rows` pixels of `channels` numbers; `image_rows` of them to an image. */
  int64_t rows, image_rows, channels;
  Activation activation;
  float epsilon, momentum;
  const void *x, *side;  // side: added before the activation, or null
  const float *scale, *offset, *running_mean, *running_variance;
  void *y;
  float *mean, *rstd, *new_mean, *new_variance;
  float *pooled;  // [N, C], the mean of y over each image, or null
};

struct BatchNormGrad {
  int64_t rows, image_rows, channels;
  Activation activation;
  const void *dy, *x, *y;  // y: read only where something was added before the activation
  const void *more;        // added to dy where there is y, or null
  const float *scale, *offset, *mean, *rstd;
  const float *dpooled;  // [N, C], or null
  void *dx;
  void *dside;  // what was added before the activation gets this, or null; may be `dy`
  float *dscale, *doffset;
};

struct LayerNorm {
  int64_t rows, channels;
  float epsilon;
  const void *x;
  const float *scale, *offset;
  void *y;
  // the gradients
  const void *dy;
  void *dx;  // may be `dy`
  float *dscale, *doffset;
};

struct Gelu {
  int64_t count;
  const void *x;
  void *y;
  // the gradient, where there is dy
  const void *dy;
  void *dx;  // may be `dy`
};

struct Add {
  int64_t count;
  const void *a, *b;
  void *y;  // may be either of them
};

struct Depthwise {
  int64_t images, height, width, channels;
  int64_t out_height, out_width, top, left;
  int64_t kernel, stride;
  const void *x;
  const float *filter;  // [kernel, kernel, C]
  void *y;
  // the gradients
  const Norm *norm;  // what was made of x before it was convolved, or null
  const void *dy;
  void *dx;
  float *dfilter;
};

/**
 * A convolution by 3 x 3 pixels whose results each read the `group` channels of their group alone: four, or a multiple of
 * eight; the channels are a multiple of eight, too. The filter is [3, 3, group, C].
 */
struct Grouped : Depthwise {
  int64_t group;
  /** For the gradients: room for as many numbers as `room` says, on a cache line's bound. */
  float *room;
};

/** Of float32. */
struct GroupedKernel {
  void (*compute)(const Grouped &);
  void (*gradients)(const Grouped &);
  int64_t (*room)(const Grouped &);
};

extern const GroupedKernel grouped_avx2;

struct Scale {
  int64_t images, image_rows, channels;
  const void *x, *by;  // by: [N, C]
  void *y;
  // the gradients
  const Norm *norm;  // what was made of x before it was scaled, or null
  const void *dy;
  void *dx, *dby;
};

/** A convolution by 3 x 3 pixels, stride 1, padded by 1; channels and outputs are multiples of `longest_vector`. */
struct Winograd {
  int64_t images, height, width, channels, outputs;
  const void *x;
  const float *filter;  // [3, 3, C, K]
  const void *dy;
  // what is wanted, one of them; the others are null
  void *y, *dx;
  float *dfilter;
  /** Room for as many numbers as `winograd_room` says, on a cache line's bound. */
  float *room;
};

/**
 * The gradient of a convolution's filter, of x [N, H, W, C] and dy [N, out height, out width, K]; `top` and `left` zeros lie
 * before the images, and as many behind them as windows reach.
 */
struct FilterGrad {
  int64_t images, height, width, channels, outputs;
  int64_t out_height, out_width, top, left;
  int64_t kernel_height, kernel_width, stride;
  const void *x, *dy;
  const Norm *norm;  // what was made of x before it was convolved, by 1 x 1 pixels, or null; not in bfloat16
  float *dfilter;    // [kernel height, kernel width, C, K]
  /** Room for as many numbers as `room` says, on a cache line's bound. */
  float *room;
};

struct FilterGradKernel {
  void (*compute)(const FilterGrad &);
  int64_t (*room)(const FilterGrad &);
};

/** Of bfloat16 and of float32. */
extern const FilterGradKernel filter_grad_amx, filter_grad_avx2;

/** The kernels for one type, compiled for one kind of processor. */
struct Kernels {
  void (*batch_norm)(const BatchNorm &);
  void (*batch_norm_grad)(const BatchNormGrad &);
  void (*normalise)(const BatchNorm &);  // y alone, by the mean and 1 / deviation that are there already
  void (*layer_norm)(const LayerNorm &);
  void (*layer_norm_grad)(const LayerNorm &);
  void (*gelu)(const Gelu &);
  void (*add)(const Add &);
  void (*depthwise)(const Depthwise &);
  void (*depthwise_grad)(const Depthwise &);
  void (*scale)(const Scale &);
  void (*scale_grad)(const Scale &);
  void (*winograd)(const Winograd &);
  int64_t (*winograd_room)(const Winograd &);
};

struct KernelSet {
  Kernels float32, bfloat16;
};

extern const KernelSet kernels_avx512_bf16, kernels_avx512, kernels_avx2, kernels_base;

/** Numbers in the longest of vectors: the fewest channels of a depthwise convolution; `Winograd` takes multiples. */
constexpr int64_t longest_vector = 16;

}  // namespace deep_cnn
