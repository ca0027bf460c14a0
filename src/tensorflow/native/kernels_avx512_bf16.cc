// The kernels for processors with AVX-512 that round to bfloat16 themselves.
#include "kernels.h"

#ifdef DEEP_CNN_BFLOAT
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target(AVX512 ",avx512bf16,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")
#endif
#define VECTOR_BYTES 64
#define BFLOAT_INSTRUCTIONS
#define KERNEL_SET kernels_avx512_bf16
#include "kernels_set.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
