// Layer normalisation over the channels of each row (Ba et al. 2016, arXiv:1607.06450), forward and backward. A row stays in
// the first cache, so that its mean and deviation are computed again in the backward pass instead of being kept.
#pragma once

#include "kernels_vector.h"

namespace deep_cnn {
namespace {

ALWAYS_INLINE float total_of(V v) {
  float part[lanes], total = 0;
  store(part, v);
  for (int64_t lane = 0; lane < lanes; lane++) total += part[lane];
  return total;
}

struct Moments {
  float mean, rstd;
};

template <class T>
ALWAYS_INLINE Moments moments_of(const LayerNorm &op, const T *x) {
  const float share = 1.0f / (float)op.channels;
  V sum = {}, squares = {};
  for_each_vector(op.channels, [&](int64_t at, int64_t count) VISIT {
    sum += load_some(x + at, count);
  });
  const float mean = total_of(sum) * share;
  for_each_vector(op.channels, [&](int64_t at, int64_t count) VISIT {
    V d = load_some(x + at, count) - mean;
    if (count < lanes) d = keep(d, count);
    squares += d * d;
  });
  return {mean, 1.0f / __builtin_sqrtf(total_of(squares) * share + op.epsilon)};
}

/** What all tasks of one layer norm share. `sums`: two of each block, a number for each channel. */
struct LayerNormWork {
  const LayerNorm *op;
  int64_t rows_in_block;
  float *sums;
};

template <class T>
void layer_norm_task(const void *given, int64_t block) {
  const auto &work = *(const LayerNormWork *)given;
  const auto &op = *work.op;
  const int64_t end = least(op.rows, (block + 1) * work.rows_in_block);
  for (int64_t row = block * work.rows_in_block; row < end; row++) {
    const T *x = (const T *)op.x + row * op.channels;
    T *y = (T *)op.y + row * op.channels;
    const Moments moments = moments_of(op, x);
    for_each_vector(op.channels, [&](int64_t at, int64_t count) VISIT {
      const V normal = (load_some(x + at, count) - moments.mean) * moments.rstd;
      store_some(y + at, normal * load_some(op.scale + at, count) + load_some(op.offset + at, count), count);
    });
  }
}

template <class T>
void layer_norm_grad_task(const void *given, int64_t block) {
  const auto &work = *(const LayerNormWork *)given;
  const auto &op = *work.op;
  const int64_t channels = op.channels, end = least(op.rows, (block + 1) * work.rows_in_block);
  float *dscale = work.sums + 2 * block * channels, *doffset = dscale + channels;
  const float share = 1.0f / (float)channels;
  for (int64_t row = block * work.rows_in_block; row < end; row++) {
    const T *x = (const T *)op.x + row * channels, *dy = (const T *)op.dy + row * channels;
    T *dx = (T *)op.dx + row * channels;
    const Moments moments = moments_of(op, x);
    V sum = {}, product = {};
    for_each_vector(channels, [&](int64_t at, int64_t count) VISIT {
      const V up = load_some(dy + at, count), normal = (load_some(x + at, count) - moments.mean) * moments.rstd;
      const V g = up * load_some(op.scale + at, count);
      sum += g;
      product += g * normal;
      store_some(dscale + at, load_some(dscale + at, count) + up * normal, count);
      store_some(doffset + at, load_some(doffset + at, count) + up, count);
    });
    const float mean_g = total_of(sum) * share, mean_product = total_of(product) * share;
    for_each_vector(channels, [&](int64_t at, int64_t count) VISIT {
      const V normal = (load_some(x + at, count) - moments.mean) * moments.rstd;
      const V g = load_some(dy + at, count) * load_some(op.scale + at, count);
      store_some(dx + at, (g - mean_g - normal * mean_product) * moments.rstd, count);
    });
  }
}

/** Rows of each of at most 128 blocks. */
ALWAYS_INLINE LayerNormWork work_of(const LayerNorm &op) { return {&op, (op.rows + 127) / 128, nullptr}; }

ALWAYS_INLINE int64_t blocks_of(const LayerNormWork &work) {
  return (work.op->rows + work.rows_in_block - 1) / work.rows_in_block;
}

template <class T>
void layer_norm(const LayerNorm &op) {
  const LayerNormWork work = work_of(op);
  parallel(blocks_of(work), layer_norm_task<T>, &work);
}

// With xh = (x - mean) rstd and g = scale dy, means over a row's channels, sums over the rows:
//   dx = rstd (g - mean(g) - xh mean(g xh)), dscale = Σ dy xh, doffset = Σ dy
template <class T>
void layer_norm_grad(const LayerNorm &op) {
  LayerNormWork work = work_of(op);
  const int64_t blocks = blocks_of(work);
  work.sums = floats(blocks * 2 * op.channels);
  parallel(blocks, layer_norm_grad_task<T>, &work);
  for (int64_t c = 0; c < op.channels; c++) {
    double scale = 0, offset = 0;
    for (int64_t block = 0; block < blocks; block++) {
      scale += work.sums[2 * block * op.channels + c];
      offset += work.sums[(2 * block + 1) * op.channels + c];
    }
    op.dscale[c] = (float)scale;
    op.doffset[c] = (float)offset;
  }
  free(work.sums);
}

}  // namespace
}  // namespace deep_cnn
