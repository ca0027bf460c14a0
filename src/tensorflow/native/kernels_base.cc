// The kernels for processors other than x86, whose vectors need not be asked for.
#if !defined(__x86_64__)
#define VECTOR_BYTES 16
#define KERNEL_SET kernels_base
#include "kernels_set.h"
#endif
