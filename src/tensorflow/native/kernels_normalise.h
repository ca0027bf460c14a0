// What a batch norm makes of x once it knows the batch's statistics: forward, and again in the backward pass, where its
// result is not kept but computed once more, to the bit.
#pragma once

#include "kernels_vector.h"

namespace deep_cnn {
namespace {

/** A batch norm's numbers for each channel, repeated: y = activation((x - mean) a + b + side). */
struct NormConstants {
  Period period;
  float *mean, *a, *b;
};

ALWAYS_INLINE NormConstants constants_of(const Norm &norm, int64_t channels) {
  const Period period = period_of(channels);
  float *mean = floats(4 * period.size), *slope = mean + 3 * period.size;
  const NormConstants made = {period, mean, mean + period.size, mean + 2 * period.size};
  for (int64_t c = 0; c < channels; c++) slope[c] = norm.scale[c] * norm.rstd[c];
  repeat_channels(period, norm.mean, made.mean);
  repeat_channels(period, slope, made.a);
  repeat_channels(period, norm.offset, made.b);
  return made;
}

ALWAYS_INLINE void release(const NormConstants &constants) { free(constants.mean); }

/** Before the sum and the activation: of `count` numbers, whose constants lie at `at`. */
template <class T>
ALWAYS_INLINE V normalised(const NormConstants &constants, const T *x, int64_t at, int64_t count) {
  return (load_some(x + at, count) - load(constants.mean + at)) * load(constants.a + at) + load(constants.b + at);
}

/** y of `left` numbers, whole pixels; `side`: what is added; `pooled`: where y is added up, a period wide, or null. */
template <class T, Activation A, bool HasSide>
ALWAYS_INLINE void normalise_numbers(const NormConstants &constants, const T *x, const T *side, T *y, int64_t left,
                                     float *pooled) {
  const int64_t size = constants.period.size;
  for (; left >= size; left -= size, x += size, y += size, side += size) {
    for (int64_t at = 0; at < size; at += lanes) {
      V z = normalised(constants, x, at, lanes);
      if (HasSide) z += load(side + at);
      const V value = activate<A>(z);
      store(y + at, value);
      if (pooled) store(pooled + at, load(pooled + at) + value);
    }
  }
  for (int64_t at = 0; at < left; at += lanes) {
    const int64_t count = least(lanes, left - at);
    V z = normalised(constants, x, at, count);
    if (HasSide) z += load_part(side + at, count);
    const V value = activate<A>(z);
    store_part(y + at, value, count);
    if (pooled) store(pooled + at, load(pooled + at) + keep(value, count));
  }
}

template <class T, Activation A>
void remake_numbers(const NormConstants &constants, const T *x, T *y, int64_t count) {
  normalise_numbers<T, A, false>(constants, x, x, y, count, nullptr);
}

template <class T, Activation A>
void remake_channels(const NormConstants &constants, const T *x, T *y, int64_t first, int64_t end) {
  for_each_vector(end - first, [&](int64_t at, int64_t count) VISIT {
    store_some(y + first + at, activate<A>(normalised(constants, x, first + at, count)), count);
  });
}

/** What a batch norm makes of some pixels, for kernels that are given its input. */
template <class T>
struct Remaker {
  NormConstants constants;
  void (*remake)(const NormConstants &, const T *x, T *y, int64_t count);
  void (*channels)(const NormConstants &, const T *x, T *y, int64_t first, int64_t end);

  void operator()(const T *x, T *y, int64_t count) const { remake(constants, x, y, count); }
  /** The same of one pixel, channels `first` to `end`. */
  void part(const T *x, T *y, int64_t first, int64_t end) const { channels(constants, x, y, first, end); }
};

template <class T, Activation A>
ALWAYS_INLINE Remaker<T> remaker_with(const NormConstants &constants) {
  return {constants, remake_numbers<T, A>, remake_channels<T, A>};
}

template <class T>
ALWAYS_INLINE Remaker<T> remaker_of(const Norm &norm, int64_t channels) {
  const NormConstants constants = constants_of(norm, channels);
  switch (norm.activation) {
    case Activation::relu: return remaker_with<T, Activation::relu>(constants);
    case Activation::relu6: return remaker_with<T, Activation::relu6>(constants);
    case Activation::silu: return remaker_with<T, Activation::silu>(constants);
    case Activation::hard_swish: return remaker_with<T, Activation::hard_swish>(constants);
    default: return remaker_with<T, Activation::none>(constants);
  }
}

}  // namespace
}  // namespace deep_cnn
