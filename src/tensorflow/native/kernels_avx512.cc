// The kernels for processors with AVX-512.
#include "kernels.h"

#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target(AVX512 ",avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
#define VECTOR_BYTES 64
#define KERNEL_SET kernels_avx512
#include "kernels_set.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
