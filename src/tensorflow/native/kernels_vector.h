// Vectors as long as the processor's registers, of VECTOR_BYTES (the compiler keeps longer ones in memory), and what is
// computed on them. Nothing of the standard library is used in what is compiled for one kind of processor: a function of it
// that is shared with the rest of the program would be, too.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

namespace deep_cnn {
namespace {

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define VISIT __attribute__((always_inline))

typedef float V __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t VI __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t VU __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t VH __attribute__((vector_size(VECTOR_BYTES / 2)));

/** Numbers in a vector. */
constexpr int64_t lanes = VECTOR_BYTES / 4;

struct bfloat {
  uint16_t bits;
};

ALWAYS_INLINE V splat(float value) { return value - V{}; }
ALWAYS_INLINE VI bits(V v) { return (VI)v; }
ALWAYS_INLINE V select(VI mask, V yes, V no) { return (V)((mask & bits(yes)) | (~mask & bits(no))); }

ALWAYS_INLINE V load(const float *from) {
  V v;
  memcpy(&v, from, sizeof v);
  return v;
}

ALWAYS_INLINE V load(const bfloat *from) {
  VH half;
  memcpy(&half, from, sizeof half);
  return (V)(__builtin_convertvector(half, VU) << 16);
}

ALWAYS_INLINE void store(float *to, V v) { memcpy(to, &v, sizeof v); }

/** Rounds to the nearest, and halfway to even. */
ALWAYS_INLINE void store(bfloat *to, V v) {
#ifdef BFLOAT_INSTRUCTIONS
  const auto half = _mm512_cvtneps_pbh((__m512)v);
#else
  VU wide = (VU)v;
  wide += 0x7fff + ((wide >> 16) & 1);
  const VH half = __builtin_convertvector(wide >> 16, VH);
#endif
  memcpy(to, &half, sizeof half);
}

/** The first `count` numbers, then zeros. */
template <class T>
ALWAYS_INLINE V load_part(const T *from, int64_t count) {
  T part[lanes] = {};
  memcpy(part, from, count * sizeof(T));
  return load(part);
}

template <class T>
ALWAYS_INLINE void store_part(T *to, V v, int64_t count) {
  T part[lanes];
  store(part, v);
  memcpy(to, part, count * sizeof(T));
}

/** A vector, or its first `count` numbers. */
template <class T>
ALWAYS_INLINE V load_some(const T *from, int64_t count) {
  return count == lanes ? load(from) : load_part(from, count);
}

template <class T>
ALWAYS_INLINE void store_some(T *to, V v, int64_t count) {
  if (count == lanes) store(to, v);
  else store_part(to, v, count);
}

/**
 * Calls `visit(at, count)`, a lambda marked VISIT, for each vector of `length` numbers; the last may have fewer. That a vector
 * is whole is known to the compiler then, so that `load_some` does not ask.
 */
template <class Visit>
ALWAYS_INLINE void for_each_vector(int64_t length, Visit visit) {
  int64_t at = 0;
  for (; at + lanes <= length; at += lanes) visit(at, lanes);
  if (at < length) visit(at, length - at);
}

/** Zero but for the first `count` numbers. */
ALWAYS_INLINE V keep(V v, int64_t count) {
  VI order;
  for (int i = 0; i < (int)lanes; i++) order[i] = i;
  return select(order < (int32_t)count, v, V{});
}

/** e to the power of x, to two units in the last place; Cody and Waite's reduction and a polynomial of degree 6. */
ALWAYS_INLINE V exponential(V x) {
  x = select(x < -87.0f, splat(-87.0f), x);
  x = select(x > 88.0f, splat(88.0f), x);
  const float to_integer = 12582912.0f;  // 1.5 x 2^23: adding it leaves an integer in the low bits
  const V shifted = x * 1.44269504088896341f + to_integer;
  const V n = shifted - to_integer;
  const V r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  V p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return (V)(bits(p) + (bits(shifted) << 23));
}

ALWAYS_INLINE V sigmoid(V x) { return 1.0f / (1.0f + exponential(-x)); }

/** min(max(x, 0), 6); NaN stays. */
ALWAYS_INLINE V clip6(V x) { return select(x > 6.0f, splat(6.0f), select(x < 0.0f, V{}, x)); }

template <Activation A>
ALWAYS_INLINE V activate(V z) {
  if (A == Activation::relu) return select(z < 0.0f, V{}, z);
  if (A == Activation::relu6) return clip6(z);
  if (A == Activation::silu) return z * sigmoid(z);
  if (A == Activation::hard_swish) return z * clip6(z + 3.0f) * (1.0f / 6.0f);
  return z;
}

/** The gradient at z, of the one at the activation. */
template <Activation A>
ALWAYS_INLINE V activate_grad(V z, V dy) {
  if (A == Activation::relu) return select(z > 0.0f, dy, V{});
  if (A == Activation::relu6) return select((z > 0.0f) & (z < 6.0f), dy, V{});
  if (A == Activation::silu) {
    const V s = sigmoid(z);
    return dy * (s + z * s * (1.0f - s));
  }
  if (A == Activation::hard_swish) {
    const V inside = (2.0f * z + 3.0f) * (1.0f / 6.0f);
    return dy * select(z <= -3.0f, V{}, select(z < 3.0f, inside, splat(1.0f)));
  }
  return dy;
}

ALWAYS_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
ALWAYS_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
ALWAYS_INLINE int64_t divide_up(int64_t a, int64_t by) { return (a + by - 1) / by; }
ALWAYS_INLINE int64_t round_up(int64_t a, int64_t step) { return divide_up(a, step) * step; }

/** Room for `count` numbers, not set to anything, on a cache line's bound; to be freed. */
ALWAYS_INLINE float *scratch(int64_t count) { return (float *)aligned_alloc(64, round_up(count * sizeof(float), 64)); }

ALWAYS_INLINE float *floats(int64_t count) { return (float *)calloc(count, sizeof(float)); }

/** Room that a thread keeps, since pages that are new each time take longer than what is done in them. */
struct ThreadRoom {
  void *at = nullptr;
  int64_t bytes = 0;
  ~ThreadRoom() { free(at); }
};

/** At least so many bytes, not set to anything, on a page's bound: until this thread asks again. */
inline void *room_of_thread(int64_t bytes) {
  static thread_local ThreadRoom kept;
  if (bytes > kept.bytes) {
    free(kept.at);
    kept.bytes = round_up(bytes, 4096);
    kept.at = aligned_alloc(4096, kept.bytes);
  }
  return kept.at;
}

/**
 * Pixels are taken `repeat` at a time, so that their numbers fill whole vectors, several of them; what belongs to a
 * channel is repeated as often.
 */
struct Period {
  int64_t channels, repeat, size;
};

ALWAYS_INLINE Period period_of(int64_t channels) {
  int64_t repeat = 1;
  while (repeat * channels % lanes != 0 || repeat * channels < 8 * lanes) repeat *= 2;
  return {channels, repeat, repeat * channels};
}

template <class T>
ALWAYS_INLINE void repeat_channels(const Period &period, const T *from, float *to) {
  for (int64_t copy = 0; copy < period.repeat; copy++, to += period.channels) {
    int64_t at = 0;
    for (; at + lanes <= period.channels; at += lanes) store(to + at, load(from + at));
    if (at < period.channels) store_part(to + at, load_part(from + at, period.channels - at), period.channels - at);
  }
}

/** Adds up the copies of each channel. */
ALWAYS_INLINE void add_copies(const Period &period, const float *from, double *to) {
  for (int64_t copy = 0; copy < period.repeat; copy++) {
    for (int64_t c = 0; c < period.channels; c++) to[c] += from[copy * period.channels + c];
  }
}

/** Pixels in each of at most 128 blocks, a multiple of `repeat`. */
ALWAYS_INLINE int64_t block_rows(const Period &period, int64_t rows) {
  const int64_t groups = (rows + period.repeat - 1) / period.repeat;
  return period.repeat * most(1, (groups + 127) / 128);
}

}  // namespace
}  // namespace deep_cnn
