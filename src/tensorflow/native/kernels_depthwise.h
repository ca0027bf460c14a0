// Depthwise convolution, each channel with a filter of its own, forward and backward. Each task is an image, or some rows
// of one, so that all that it reads stays in the processor's cache; sums are float32 whatever the type.
#pragma once

#include "kernels_normalise.h"

namespace deep_cnn {
namespace {

/** Rows of results in each task: there are about 64 tasks or more, as far as images have rows. */
ALWAYS_INLINE int64_t parts_of_image(int64_t images, int64_t rows) {
  return images >= 64 ? 1 : least((64 + images - 1) / images, most(1, rows / 4));
}

/** Vectors of channels; the last overlaps the one before where its length does not divide their number. */
ALWAYS_INLINE int64_t channel_of(int64_t vector, int64_t channels) { return least(vector * lanes, channels - lanes); }

/**
 * One row of results, of a vector of channels. `x` and `y` point at the channels of the first pixel of an image and of the
 * row, `filter` at K x K vectors.
 */
template <class T, int K, int S>
ALWAYS_INLINE void convolve_row(const Depthwise &op, const T *x, const V *filter, T *y, int64_t row) {
  const int64_t C = op.channels, width = op.width, out = op.out_width;
  const int64_t top = row * S - op.top;
  const int first = (int)most(0, -top), last = (int)least(K, op.height - top);
  constexpr int tile = 6, columns = (tile - 1) * S + K;
  int64_t column = 0;
  while (column < out) {
    const int64_t left = column * S - op.left;
    if (left >= 0 && column + tile <= out && left + columns <= width) {
      V sum[tile] = {};
      for (int k = first; k < last; k++) {
        const T *from = x + ((top + k) * width + left) * C;
        const V *w = filter + k * K;
#pragma GCC unroll 32
        for (int j = 0; j < columns; j++) {
          const V in = load(from + j * C);
#pragma GCC unroll 8
          for (int t = 0; t < tile; t++) {
            if (j - t * S >= 0 && j - t * S < K) sum[t] += in * w[j - t * S];
          }
        }
      }
#pragma GCC unroll 8
      for (int t = 0; t < tile; t++) store(y + (column + t) * C, sum[t]);
      column += tile;
      continue;
    }
    V sum = {};
    for (int k = first; k < last; k++) {
      const T *from = x + ((top + k) * width + left) * C;
#pragma GCC unroll 8
      for (int j = 0; j < K; j++) {
        if (left + j >= 0 && left + j < width) sum += load(from + j * C) * filter[k * K + j];
      }
    }
    store(y + column * C, sum);
    column += 1;
  }
}

/** Fetches `rows` rows of pixels from `row` on, of one vector's channels, which will be needed soon. */
template <class T>
ALWAYS_INLINE void fetch(const T *x, int64_t row, int64_t rows, int64_t height, int64_t width, int64_t channels) {
  for (; rows > 0 && row < height; rows--, row++) {
    for (int64_t column = 0; column < width; column++) __builtin_prefetch(x + (row * width + column) * channels, 0, 2);
  }
}

template <class T, int K, int S>
void depthwise_task(const void *given, int64_t index) {
  const auto &op = *(const Depthwise *)given;
  const int64_t C = op.channels;
  const int64_t parts = parts_of_image(op.images, op.out_height);
  const int64_t image = index / parts, part = index % parts;
  const T *x = (const T *)op.x + image * op.height * op.width * C;
  T *y = (T *)op.y + image * op.out_height * op.out_width * C;
  for (int64_t row = part * op.out_height / parts; row < (part + 1) * op.out_height / parts; row++) {
    for (int64_t vector = 0; vector * lanes < C; vector++) {
      const int64_t c = channel_of(vector, C);
      V filter[K * K];
      for (int k = 0; k < K * K; k++) filter[k] = load(op.filter + k * C + c);
      fetch(x + c, (row + 1) * S - op.top + K - S, S, op.height, op.width, C);
      convolve_row<T, K, S>(op, x + c, filter, y + row * op.out_width * C + c, row);
    }
  }
}

/** Adds what one row of results says of the filter's gradient, of a vector of channels. */
template <class T, int K, int S>
ALWAYS_INLINE void filter_grad_row(const Depthwise &op, const T *x, const T *dy, V *dfilter, int64_t row) {
  const int64_t C = op.channels, width = op.width, out = op.out_width;
  const int64_t top = row * S - op.top;
  const int first = (int)most(0, -top), last = (int)least(K, op.height - top);
  constexpr int tile = 4, columns = (tile - 1) * S + K;
  for (int k = first; k < last; k++) {
    V even[K] = {}, odd[K] = {};
    int64_t column = 0;
    while (column < out) {
      const int64_t left = column * S - op.left;
      const T *from = x + ((top + k) * width + left) * C;
      if (left >= 0 && column + tile <= out && left + columns <= width) {
        V g[tile];
#pragma GCC unroll 8
        for (int t = 0; t < tile; t++) g[t] = load(dy + (column + t) * C);
#pragma GCC unroll 32
        for (int j = 0; j < columns; j++) {
          const V in = load(from + j * C);
#pragma GCC unroll 8
          for (int t = 0; t < tile; t++) {
            if (j - t * S < 0 || j - t * S >= K) continue;
            if (t % 2 == 0) even[j - t * S] += in * g[t];
            else odd[j - t * S] += in * g[t];
          }
        }
        column += tile;
        continue;
      }
      const V g = load(dy + column * C);
#pragma GCC unroll 8
      for (int j = 0; j < K; j++) {
        if (left + j >= 0 && left + j < width) even[j] += load(from + j * C) * g;
      }
      column += 1;
    }
#pragma GCC unroll 8
    for (int j = 0; j < K; j++) dfilter[k * K + j] += even[j] + odd[j];
  }
}

/** One row of the gradient at the images, of a vector of channels, where the stride is 2. */
template <class T, int K>
ALWAYS_INLINE void input_grad_row(const Depthwise &op, const T *dy, const V *filter, T *dx, int64_t row) {
  const int64_t C = op.channels, width = op.width, out = op.out_width;
  constexpr int tile = 6;  // even, so that all tiles begin alike
  for (int64_t column = 0; column < width;) {
    const int64_t at = column + op.left;
    const bool aligned = at % 2 == 0;
    const int64_t base = at / 2;
    const bool whole = aligned && column + tile <= width && base - (K - 1) / 2 >= 0 && base + (tile - 1) / 2 < out;
    V sum[tile] = {};
    for (int k = 0; k < K; k++) {
      const int64_t from_row = row + op.top - k;
      if (from_row < 0 || from_row % 2 != 0 || from_row / 2 >= op.out_height) continue;
      const T *from = dy + from_row / 2 * out * C;
      const V *w = filter + k * K;
      if (whole) {
#pragma GCC unroll 32
        for (int o = -(K - 1) / 2; o <= (tile - 1) / 2; o++) {
          const V g = load(from + (base + o) * C);
#pragma GCC unroll 8
          for (int t = 0; t < tile; t++) {
            if (t - 2 * o >= 0 && t - 2 * o < K) sum[t] += g * w[t - 2 * o];
          }
        }
        continue;
      }
#pragma GCC unroll 8
      for (int j = 0; j < K; j++) {
        const int64_t twice = at - j;
        if (twice >= 0 && twice % 2 == 0 && twice / 2 < out) sum[0] += load(from + twice / 2 * C) * w[j];
      }
    }
    if (whole) {
#pragma GCC unroll 8
      for (int t = 0; t < tile; t++) store(dx + (column + t) * C, sum[t]);
    } else {
      store(dx + column * C, sum[0]);
    }
    column += whole ? tile : 1;
  }
}

template <class T>
struct DepthwiseGradWork {
  const Depthwise *op;
  int64_t parts;
  float *dfilter;             // of each task
  const Remaker<T> *before;  // what was made of x, or null
};

/** Those rows of what was convolved that a task has come to, made of x once more. */
template <class T, int K, int S>
struct RemadeRows {
  static constexpr int64_t capacity = K + 4 * S;
  const Depthwise *op;
  const Remaker<T> *before;
  const T *x;  // the image
  T *rows;     // from `low` to `high`
  int64_t low, high;

  /** Makes what the results of row `row` need. */
  ALWAYS_INLINE void reach(int64_t row) {
    const int64_t numbers = op->width * op->channels;
    const int64_t first = most(0, row * S - op->top), last = least(op->height, row * S - op->top + K);
    if (last > low + capacity) {
      const int64_t kept = most(0, high - first);
      memmove(rows, rows + (first - low) * numbers, kept * numbers * sizeof(T));
      low = first, high = first + kept;
    }
    if (last > high) (*before)(x + high * numbers, rows + (high - low) * numbers, (last - high) * numbers);
    high = most(high, last);
  }
};

template <class T, int K, int S>
void depthwise_grad_task(const void *given, int64_t index) {
  const auto &work = *(const DepthwiseGradWork<T> *)given;
  const auto &op = *work.op;
  const int64_t C = op.channels;
  const int64_t image = index / work.parts, part = index % work.parts;
  const T *x = (const T *)op.x + image * op.height * op.width * C;
  const T *dy = (const T *)op.dy + image * op.out_height * op.out_width * C;
  T *dx = (T *)op.dx + image * op.height * op.width * C;
  float *dfilter = work.dfilter + index * K * K * C;
  // At stride 1 the gradient at the images is a convolution with the filter turned round.
  Depthwise back = op;
  back.height = op.out_height, back.width = op.out_width;
  back.out_height = op.height, back.out_width = op.width;
  back.top = K - 1 - op.top, back.left = K - 1 - op.left;
  const int64_t first = part * op.out_height / work.parts, last = (part + 1) * op.out_height / work.parts;
  const int64_t x_first = most(0, first * S - op.top);
  RemadeRows<T, K, S> remade = {&op, work.before, x, nullptr, x_first, x_first};
  if (work.before) remade.rows = (T *)malloc(remade.capacity * op.width * C * sizeof(T));
  const T *convolved = work.before ? remade.rows : x;
  Depthwise there = op;  // of the rows that lie at `convolved`
  for (int64_t row = first; row < last; row++) {
    if (work.before) {
      remade.reach(row);
      there.top = op.top + remade.low, there.height = op.height - remade.low;
    }
    // The rows of dx that go with this row of dy: S of them, and in the image's last row what is left.
    const int64_t dx_first = row * S, dx_last = row + 1 == op.out_height ? op.height : least((row + 1) * S, op.height);
    for (int64_t vector = 0; vector * lanes < C; vector++) {
      const int64_t c = channel_of(vector, C);
      V filter[K * K], sums[K * K];
      for (int k = 0; k < K * K; k++) {
        filter[k] = load(op.filter + (S == 1 ? K * K - 1 - k : k) * C + c);
        sums[k] = load(dfilter + k * C + c);
      }
      if (!work.before) fetch(x + c, (row + 1) * S - op.top + K - S, S, op.height, op.width, C);
      fetch(dy + c, row + K / 2 + 1, 1, op.out_height, op.out_width, C);
      filter_grad_row<T, K, S>(there, convolved + c, dy + row * op.out_width * C + c, sums, row);
      const int64_t fresh = vector * lanes - c;  // channels that the vector before has had already
      for (int k = 0; k < K * K; k++) {
        if (fresh == 0) store(dfilter + k * C + c, sums[k]);
        else memcpy(dfilter + k * C + c + fresh, (const float *)&sums[k] + fresh, (lanes - fresh) * sizeof(float));
      }
      for (int64_t dx_row = dx_first; dx_row < dx_last; dx_row++) {
        T *to = dx + dx_row * op.width * C + c;
        if (S == 1) convolve_row<T, K, 1>(back, dy + c, filter, to, dx_row);
        else input_grad_row<T, K>(op, dy + c, filter, to, dx_row);
      }
    }
  }
  free(remade.rows);
}

template <class T, int K, int S>
void depthwise_with(const Depthwise &op) {
  parallel(op.images * parts_of_image(op.images, op.out_height), depthwise_task<T, K, S>, &op);
}

template <class T, int K, int S>
void depthwise_grad_with(const Depthwise &op) {
  const int64_t parts = parts_of_image(op.images, op.out_height), tasks = op.images * parts;
  const int64_t size = K * K * op.channels;
  Remaker<T> before;
  if (op.norm) before = remaker_of<T>(*op.norm, op.channels);
  const DepthwiseGradWork<T> work = {&op, parts, floats(tasks * size), op.norm ? &before : nullptr};
  parallel(tasks, depthwise_grad_task<T, K, S>, &work);
  if (op.norm) release(before.constants);
  for (int64_t at = 0; at < size; at++) {
    double total = 0;
    for (int64_t task = 0; task < tasks; task++) total += work.dfilter[task * size + at];
    op.dfilter[at] = (float)total;
  }
  free(work.dfilter);
}

template <class T>
void depthwise(const Depthwise &op) {
  if (op.stride == 1) {
    if (op.kernel == 3) depthwise_with<T, 3, 1>(op);
    else if (op.kernel == 5) depthwise_with<T, 5, 1>(op);
    else depthwise_with<T, 7, 1>(op);
  } else {
    if (op.kernel == 3) depthwise_with<T, 3, 2>(op);
    else depthwise_with<T, 5, 2>(op);
  }
}

template <class T>
void depthwise_grad(const Depthwise &op) {
  if (op.stride == 1) {
    if (op.kernel == 3) depthwise_grad_with<T, 3, 1>(op);
    else if (op.kernel == 5) depthwise_grad_with<T, 5, 1>(op);
    else depthwise_grad_with<T, 7, 1>(op);
  } else {
    if (op.kernel == 3) depthwise_grad_with<T, 3, 2>(op);
    else depthwise_grad_with<T, 5, 2>(op);
  }
}

}  // namespace
}  // namespace deep_cnn
