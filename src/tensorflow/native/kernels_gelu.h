// GELU with the exact normal distribution (Hendrycks and Gimpel 2016, arXiv:1606.08415), forward and backward.
#pragma once

#include "kernels_vector.h"

namespace deep_cnn {
namespace {

/** The normal distribution's share below x, and its density there. */
struct Normal {
  V below, density;
};

/**
 * exp(x²/2) times the share beyond |x| is a polynomial of |x| / (|x| + constant), fitted by Remez's exchange to 1e-8 of it.
 * What is below x is right to 1e-7, and within 1e-6 of itself down to x = -3.
 */
ALWAYS_INLINE Normal normal_at(V x) {
  V far = select(x < 0.0f, -x, x);
  far = select(far > 16.0f, splat(16.0f), far);  // infinity would be divided by itself
  const V w = far / (1.41421356f + 0.29f * far);
  V p = splat(2.653479444e-6f);
  p = p * w - 4.156237935e-5f;
  p = p * w + 2.096743197e-4f;
  p = p * w + 3.774289213e-4f;
  p = p * w - 1.086506356e-2f;
  p = p * w + 7.0304193e-2f;
  p = p * w - 0.2671503712f;
  p = p * w + 0.672772044f;
  p = p * w - 1.128379542f;
  p = p * w + 1.0f;
  const V bell = exponential(-0.5f * x * x);
  const V beyond = 0.5f * p * bell;
  return {select(x < 0.0f, beyond, 1.0f - beyond), 0.398942280f * bell};
}

/** Numbers that one task computes. */
constexpr int64_t gelu_block = 16384;

template <class T>
void gelu_task(const void *given, int64_t block) {
  const auto &op = *(const Gelu *)given;
  const int64_t first = block * gelu_block;
  const T *x = (const T *)op.x + first, *dy = op.dy ? (const T *)op.dy + first : nullptr;
  T *to = (T *)(dy ? op.dx : op.y) + first;
  for_each_vector(least(gelu_block, op.count - first), [&](int64_t at, int64_t count) VISIT {
    const V z = load_some(x + at, count);
    const Normal normal = normal_at(z);
    V out = z * normal.below;
    if (dy) out = load_some(dy + at, count) * (normal.below + z * normal.density);
    store_some(to + at, out, count);
  });
}

/** y = x Φ(x), or, with dy, dx = dy (Φ(x) + x φ(x)). */
template <class T>
void gelu(const Gelu &op) {
  parallel((op.count + gelu_block - 1) / gelu_block, gelu_task<T>, &op);
}

}  // namespace
}  // namespace deep_cnn
