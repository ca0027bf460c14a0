// Rows of a grouped convolution's results, summed in registers over all that their windows read, several neighbours at once.
// A vector holds results of one group, or of two groups of four channels, which read theirs by a permutation within each half.
#pragma once

#include <immintrin.h>

#include "kernels_grouped_strips.h"

namespace deep_cnn {
namespace {

/** Channels of a group of which two share a vector. */
constexpr int64_t half = lanes / 2;

/** Vectors that are summed in registers at a time. */
constexpr int sums_at_once = 12;

/** The same where a vector is all that a block has: three more stand for what is read of a line. */
constexpr int line_sums = 10;

/** A number that is known to the compiler. */
template <int Value>
struct Number {
  static constexpr int value = Value;
};

/** The vectors of a block that are summed together, so that two or three are, but where there is only one. */
ALWAYS_INLINE int64_t vectors_from(int64_t channel, int64_t width) {
  const int64_t left = (width - channel) / lanes;
  return left == 1 || left == 3 ? left : 2;
}

/** How often a row of a block's results is begun anew. */
int64_t shares_of(const Plan &plan, int64_t pixels) {
  int64_t shares = 0;
  for (int64_t c = 0; c < plan.width; c += vectors_from(c, plan.width) * lanes) {
    shares += divide_up(pixels, plan.width == lanes ? line_sums : sums_at_once / vectors_from(c, plan.width));
  }
  return shares;
}

/** A row of the windows of some neighbours: where the first one's reads its first pixel, and that one's place in the filter. */
struct Line {
  const float *from;
  int64_t place;
};

/** What neighbouring results share. */
struct Windows {
  Line lines[side];
  int64_t count;             // of lines
  int64_t taps, place_step;  // pixels that are read of a line, side by side, and how their places differ
  int64_t stride;            // pixels from what one result reads to what the next does
  int64_t depth, width;      // channels that are read, and of a block
  const float *filter;       // [place][channel read][vectors]
  int64_t y_pitch;           // from one result to the next
  Ahead *ahead;
};

/** Number J of each half of a vector, in all places of that half. */
template <int J>
ALWAYS_INLINE V spread(V v) {
  return (V)_mm256_permute_ps((__m256)v, J * 0x55);
}

/** Adds the products of channel J of `Pixels` pixels, `pitch` apart, and the filter's vectors for it. */
template <int J, int Pixels, int Vectors, int Pointers>
ALWAYS_INLINE void add_products(V (&sum)[Pixels][Vectors], const float *const (&from)[Pointers], int64_t pitch,
                                const float *filter) {
  V b[Vectors];
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; v++) b[v] = load(filter + (J * Vectors + v) * lanes);
#pragma GCC unroll 12
  for (int p = 0; p < Pixels; p++) {
    const float each = from[p / 3][p % 3 * pitch + J];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) sum[p][v] += each * b[v];
  }
}

template <int Pixels, int Vectors>
__attribute__((noinline)) void convolve_pixels(const Windows &windows, const Line *taps, const Line *end, int64_t first,
                                               float *y) {
  constexpr int pointers = (Pixels + 2) / 3;
  const int64_t pitch = windows.stride * windows.width;
  V sum[Pixels][Vectors] = {};
  for (const Line *tap = taps; tap < end; tap++) {
    const float *filter = windows.filter + tap->place * windows.depth * Vectors * lanes, *from[pointers];
#pragma GCC unroll 4
    for (int i = 0; i < pointers; i++) from[i] = tap->from + (first + 3 * i) * pitch;
    for (int64_t left = windows.depth; left > 0; left -= 4) {
      add_products<0>(sum, from, pitch, filter);
      add_products<1>(sum, from, pitch, filter);
      add_products<2>(sum, from, pitch, filter);
      add_products<3>(sum, from, pitch, filter);
      filter += 4 * Vectors * lanes;
#pragma GCC unroll 4
      for (int i = 0; i < pointers; i++) from[i] += 4;
    }
  }
  y += first * windows.y_pitch;
#pragma GCC unroll 12
  for (int p = 0; p < Pixels; p++) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) store(y + p * windows.y_pitch + v * lanes, sum[p][v]);
  }
}

/** Adds the products of channel J of a line's pixels, each for all results that read it, and the filter's vectors for it. */
template <int J, int Pixels, int Taps, int Stride, bool Halves>
ALWAYS_INLINE void add_line(V (&sum)[Pixels], const float *from, const float *filter, int64_t filter_step) {
  V b[Taps];
#pragma GCC unroll 3
  for (int t = 0; t < Taps; t++) b[t] = load(filter + t * filter_step + J * lanes);
#pragma GCC unroll 24
  for (int column = 0; column < (Pixels - 1) * Stride + Taps; column++) {
    const float *at = from + column * lanes;
    const V each = Halves ? spread<J>(load(at)) : splat(at[J]);
#pragma GCC unroll 3
    for (int t = 0; t < Taps; t++) {
      const int first = column - t;
      if (first >= 0 && first % Stride == 0 && first / Stride < Pixels) sum[first / Stride] += each * b[t];
    }
  }
}

/** The same for blocks of one vector, where what is read of a line is loaded once for all results that read it. */
template <int Pixels, int Taps, int Stride, bool Halves>
__attribute__((noinline)) void convolve_lines(const Windows &windows, int64_t first, float *y) {
  const int64_t place_numbers = windows.depth * lanes, filter_step = windows.place_step * place_numbers;
  V sum[Pixels] = {};
  for (int64_t i = 0; i < windows.count; i++) {
    const float *from = windows.lines[i].from + first * Stride * lanes;
    const float *filter = windows.filter + windows.lines[i].place * place_numbers;
    if (Halves) {
      add_line<0, Pixels, Taps, Stride, Halves>(sum, from, filter, filter_step);
      add_line<1, Pixels, Taps, Stride, Halves>(sum, from, filter, filter_step);
      add_line<2, Pixels, Taps, Stride, Halves>(sum, from, filter, filter_step);
      add_line<3, Pixels, Taps, Stride, Halves>(sum, from, filter, filter_step);
      continue;
    }
    for (int64_t read = 0; read < lanes; read++) {
      add_line<0, Pixels, Taps, Stride, Halves>(sum, from + read, filter + read * lanes, filter_step);
    }
  }
  y += first * windows.y_pitch;
#pragma GCC unroll 12
  for (int p = 0; p < Pixels; p++) store(y + p * windows.y_pitch, sum[p]);
}

/** So many pixels as `count` says, one of 1 to `Pixels`, known to the compiler: what `convolve` is called with. */
template <int Pixels, class Convolve>
ALWAYS_INLINE void with_pixels(int64_t count, Convolve convolve) {
  if constexpr (Pixels > 1) {
    if (count < Pixels) return with_pixels<Pixels - 1>(count, convolve);
  }
  convolve(Number<Pixels>{});
}

/** `pixels` results in a row, in shares as equal as can be of what fits into registers. */
template <int Most, class Convolve>
ALWAYS_INLINE void for_each_share(const Windows &windows, int64_t pixels, Convolve convolve) {
  const int64_t shares = divide_up(pixels, Most);
  for (int64_t share = 0; share < shares; share++) {
    const int64_t first = pixels * share / shares, end = pixels * (share + 1) / shares;
    windows.ahead->ask();
    with_pixels<Most>(end - first, [&](auto count) VISIT { convolve(count, first); });
  }
}

template <int Vectors>
__attribute__((noinline)) void convolve_row(const Windows &windows, int64_t pixels, float *y) {
  Line taps[window], *end = taps;
  for (int64_t i = 0; i < windows.count; i++) {
    for (int64_t tap = 0; tap < windows.taps; tap++) {
      *end++ = {windows.lines[i].from + tap * windows.width, windows.lines[i].place + tap * windows.place_step};
    }
  }
  for_each_share<sums_at_once / Vectors>(windows, pixels, [&](auto count, int64_t first) VISIT {
    convolve_pixels<count.value, Vectors>(windows, taps, end, first, y);
  });
}

template <int Taps, int Stride, bool Halves>
__attribute__((noinline)) void convolve_row_of_lines(const Windows &windows, int64_t pixels, float *y) {
  for_each_share<line_sums>(windows, pixels, [&](auto count, int64_t first) VISIT {
    convolve_lines<count.value, Taps, Stride, Halves>(windows, first, y);
  });
}

template <bool Halves>
void convolve_vector(const Windows &windows, int64_t pixels, float *y) {
  if (windows.stride == 2) return convolve_row_of_lines<3, 2, Halves>(windows, pixels, y);
  if (windows.taps == 3) return convolve_row_of_lines<3, 1, Halves>(windows, pixels, y);
  if (windows.taps == 2) return convolve_row_of_lines<2, 1, Halves>(windows, pixels, y);
  return convolve_row_of_lines<1, 1, Halves>(windows, pixels, y);
}

/** One row of a block's results, or every `stride`th of them. */
void convolve_block(Windows windows, int64_t pixels, float *y) {
  if (windows.depth == half) return convolve_vector<true>(windows, pixels, y);
  if (windows.width == lanes) return convolve_vector<false>(windows, pixels, y);
  for (int64_t c = 0; c < windows.width;) {
    const int64_t vectors = vectors_from(c, windows.width);
    if (vectors == 2) convolve_row<2>(windows, pixels, y + c);
    else convolve_row<3>(windows, pixels, y + c);
    c += vectors * lanes;
    windows.filter += window * windows.depth * vectors * lanes;
  }
}

}  // namespace
}  // namespace deep_cnn
