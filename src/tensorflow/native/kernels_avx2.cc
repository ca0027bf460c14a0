// The kernels for x86 processors with AVX2 and without AVX-512.
#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VECTOR_BYTES 32
#define KERNEL_SET kernels_avx2
#include "kernels_set.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
