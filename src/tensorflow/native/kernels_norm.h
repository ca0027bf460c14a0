// Batch norm over all pixels, an addition and an activation in one, forward and backward. The backward pass computes the
// activation again from x; y is needed only where something was added.
#pragma once

#include "kernels_normalise.h"

namespace deep_cnn {
namespace {

/** What all tasks of one batch norm share. `sums`: two of each block, `period.size` numbers each. */
template <class Op>
struct NormWork {
  const Op *op;
  Period period;
  int64_t rows_in_block;
  const float *mean, *a, *b;  // repeated
  float *sums;
};

template <class T>
void statistics_task(const void *given, int64_t block) {
  const auto &work = *(const NormWork<BatchNorm> *)given;
  const int64_t size = work.period.size;
  const int64_t first = block * work.rows_in_block;
  int64_t left = least(work.rows_in_block, work.op->rows - first) * work.period.channels;
  const T *x = (const T *)work.op->x + first * work.period.channels;
  float *sum = work.sums + block * 2 * size, *squares = sum + size;
  for (; left >= size; left -= size, x += size) {
    for (int64_t at = 0; at < size; at += lanes) {
      const V d = load(x + at) - load(work.mean + at);
      store(sum + at, load(sum + at) + d);
      store(squares + at, load(squares + at) + d * d);
    }
  }
  for (int64_t at = 0; at < left; at += lanes) {
    const int64_t count = least(lanes, left - at);
    const V d = keep(load_part(x + at, count) - load(work.mean + at), count);
    store(sum + at, load(sum + at) + d);
    store(squares + at, load(squares + at) + d * d);
  }
}

struct NormaliseWork {
  const BatchNorm *op;
  NormConstants constants;
  int64_t rows_in_block;
};

template <class T, Activation A, bool HasSide>
void normalise_task(const void *given, int64_t block) {
  const auto &work = *(const NormaliseWork *)given;
  const Period &period = work.constants.period;
  const int64_t channels = period.channels, first = block * work.rows_in_block, at = first * channels;
  const int64_t count = least(work.rows_in_block, work.op->rows - first) * channels;
  const T *x = (const T *)work.op->x + at, *side = HasSide ? (const T *)work.op->side + at : x;
  float *pooled = work.op->pooled ? floats(period.size) : nullptr;
  normalise_numbers<T, A, HasSide>(work.constants, x, side, (T *)work.op->y + at, count, pooled);
  if (!pooled) return;
  for (int64_t c = 0; c < channels; c++) {
    double sum = 0;
    for (int64_t copy = 0; copy < period.repeat; copy++) sum += pooled[copy * channels + c];
    work.op->pooled[block * channels + c] = (float)(sum / work.op->image_rows);
  }
  free(pooled);
}

typedef void (*Task)(const void *, int64_t);

template <class T, bool HasSide>
Task normalise_with(Activation activation) {
  switch (activation) {
    case Activation::relu: return normalise_task<T, Activation::relu, HasSide>;
    case Activation::relu6: return normalise_task<T, Activation::relu6, HasSide>;
    case Activation::silu: return normalise_task<T, Activation::silu, HasSide>;
    case Activation::hard_swish: return normalise_task<T, Activation::hard_swish, HasSide>;
    default: return normalise_task<T, Activation::none, HasSide>;
  }
}

/** The sums of all blocks, in order. */
ALWAYS_INLINE void add_blocks(const Period &period, const float *sums, int64_t blocks, double *first, double *second) {
  for (int64_t block = 0; block < blocks; block++, sums += 2 * period.size) {
    add_copies(period, sums, first);
    add_copies(period, sums + period.size, second);
  }
}

/** y, by the mean and 1 / deviation that are there already. */
template <class T>
void normalise(const BatchNorm &op) {
  const NormConstants constants = constants_of({op.activation, op.scale, op.offset, op.mean, op.rstd}, op.channels);
  const int64_t rows_in_block = op.pooled ? op.image_rows : block_rows(constants.period, op.rows);
  const NormaliseWork work = {&op, constants, rows_in_block};
  const int64_t blocks = (op.rows + rows_in_block - 1) / rows_in_block;
  parallel(blocks, op.side ? normalise_with<T, true>(op.activation) : normalise_with<T, false>(op.activation), &work);
  release(constants);
}

template <class T>
void batch_norm(const BatchNorm &op) {
  const Period period = period_of(op.channels);
  const int64_t channels = op.channels;
  float *mean = floats(period.size);

  // Sums of differences from the first pixel: no digits are lost where the mean is far from zero.
  repeat_channels(period, (const T *)op.x, mean);
  NormWork<BatchNorm> work = {&op, period, block_rows(period, op.rows), mean, nullptr, nullptr, nullptr};
  const int64_t blocks = (op.rows + work.rows_in_block - 1) / work.rows_in_block;
  work.sums = floats(blocks * 2 * period.size);
  parallel(blocks, statistics_task<T>, &work);
  double *totals = (double *)calloc(2 * channels, sizeof(double));
  add_blocks(period, work.sums, blocks, totals, totals + channels);
  free(work.sums);

  const double count = (double)op.rows;
  for (int64_t c = 0; c < channels; c++) {
    const double offset = totals[c] / count;
    const double variance = totals[channels + c] / count - offset * offset;
    const double centre = mean[c] + offset;
    const double clipped = variance < 0 ? 0 : variance;
    const double rstd = 1 / __builtin_sqrt(clipped + op.epsilon);
    const double unbiased = clipped * count / (count > 1 ? count - 1 : 1);
    op.mean[c] = (float)centre;
    op.rstd[c] = (float)rstd;
    op.new_mean[c] = (1 - op.momentum) * op.running_mean[c] + op.momentum * (float)centre;
    op.new_variance[c] = (1 - op.momentum) * op.running_variance[c] + op.momentum * (float)unbiased;
  }
  free(totals);
  free(mean);
  normalise<T>(op);
}

/** The gradient at z, before the activation: sums it, and its product with x - mean. */
template <class T, Activation A, bool HasSide>
void sum_grad_task(const void *given, int64_t block) {
  const auto &work = *(const NormWork<BatchNormGrad> *)given;
  const auto &op = *work.op;
  const int64_t size = work.period.size, channels = work.period.channels;
  const int64_t first = block * work.rows_in_block;
  int64_t left = least(work.rows_in_block, op.rows - first) * channels;
  const T *x = (const T *)op.x + first * channels, *dy = (const T *)op.dy + first * channels;
  const T *y = HasSide ? (const T *)op.y + first * channels : x;
  const T *more = HasSide && op.more ? (const T *)op.more + first * channels : nullptr;
  T *dside = HasSide ? (T *)op.dside + first * channels : nullptr;
  float *sum = work.sums + block * 2 * size, *product = sum + size;
  float *pooled = nullptr;
  if (op.dpooled) {
    pooled = floats(size);
    repeat_channels(work.period, op.dpooled + block * channels, pooled);
  }
  const float share = 1.0f / (float)op.image_rows;
  for (; left > 0; left -= size, x += size, dy += size) {
    for_each_vector(least(size, left), [&](int64_t at, int64_t count) VISIT {
      const V centred = load_some(x + at, count) - load(work.mean + at);
      V g = load_some(dy + at, count);
      if (pooled) g += load(pooled + at) * share;
      if (HasSide) {
        if (more) g += load_some(more + at, count);
        // y is positive just where z was
        g = select(load_some(y + at, count) > 0.0f, g, V{});
        store_some(dside + at, g, count);
      } else {
        g = activate_grad<A>(centred * load(work.a + at) + load(work.b + at), g);
      }
      if (count < lanes) g = keep(g, count);
      store(sum + at, load(sum + at) + g);
      store(product + at, load(product + at) + g * centred);
    });
    if (HasSide) y += size, dside += size;
    if (more) more += size;
  }
  free(pooled);
}

/** dx = a g + slope (x - mean) + constant. */
template <class T, Activation A>
void norm_grad_task(const void *given, int64_t block) {
  const auto &work = *(const NormWork<BatchNormGrad> *)given;
  const auto &op = *work.op;
  const int64_t size = work.period.size, channels = work.period.channels;
  const int64_t first = block * work.rows_in_block;
  int64_t left = least(work.rows_in_block, op.rows - first) * channels;
  const T *x = (const T *)op.x + first * channels, *dy = (const T *)op.dy + first * channels;
  T *dx = (T *)op.dx + first * channels;
  float *pooled = nullptr;
  if (op.dpooled) {
    pooled = floats(size);
    repeat_channels(work.period, op.dpooled + block * channels, pooled);
  }
  const float share = 1.0f / (float)op.image_rows;
  const float *slope = work.sums, *constant = slope + size;
  for (; left > 0; left -= size, x += size, dy += size, dx += size) {
    for_each_vector(least(size, left), [&](int64_t at, int64_t count) VISIT {
      const V centred = load_some(x + at, count) - load(work.mean + at);
      V g = load_some(dy + at, count);
      if (pooled) g += load(pooled + at) * share;
      const V a = load(work.a + at);
      if (A != Activation::none) g = activate_grad<A>(centred * a + load(work.b + at), g);
      const V out = g * a + (centred * load(slope + at) + load(constant + at));
      store_some(dx + at, out, count);
    });
  }
  free(pooled);
}

template <class T>
Task sum_grad_with(const BatchNormGrad &op) {
  if (op.dside) return sum_grad_task<T, Activation::none, true>;
  switch (op.activation) {
    case Activation::relu: return sum_grad_task<T, Activation::relu, false>;
    case Activation::relu6: return sum_grad_task<T, Activation::relu6, false>;
    case Activation::silu: return sum_grad_task<T, Activation::silu, false>;
    case Activation::hard_swish: return sum_grad_task<T, Activation::hard_swish, false>;
    default: return sum_grad_task<T, Activation::none, false>;
  }
}

template <class T>
Task norm_grad_with(Activation activation) {
  switch (activation) {
    case Activation::relu: return norm_grad_task<T, Activation::relu>;
    case Activation::relu6: return norm_grad_task<T, Activation::relu6>;
    case Activation::silu: return norm_grad_task<T, Activation::silu>;
    case Activation::hard_swish: return norm_grad_task<T, Activation::hard_swish>;
    default: return norm_grad_task<T, Activation::none>;
  }
}

// With xh = (x - mean) rstd and g the gradient at z, over n pixels:
//   dscale = Σ g xh, doffset = Σ g, dx = scale rstd (g - doffset / n - xh dscale / n)
template <class T>
void batch_norm_grad(const BatchNormGrad &op) {
  const int64_t channels = op.channels;
  const NormConstants constants = constants_of({op.activation, op.scale, op.offset, op.mean, op.rstd}, channels);
  const auto &[period, mean, a, b] = constants;
  float *slope = floats(3 * period.size), *constant = slope + period.size, *scratch = constant + period.size;

  const int64_t rows_in_block = op.dpooled ? op.image_rows : block_rows(period, op.rows);
  const int64_t blocks = (op.rows + rows_in_block - 1) / rows_in_block;
  NormWork<BatchNormGrad> work = {&op, period, rows_in_block, mean, a, b, floats(blocks * 2 * period.size)};
  parallel(blocks, sum_grad_with<T>(op), &work);
  double *totals = (double *)calloc(2 * channels, sizeof(double));
  add_blocks(period, work.sums, blocks, totals, totals + channels);
  free(work.sums);

  const double count = (double)op.rows;
  for (int64_t c = 0; c < channels; c++) {
    const double dscale = totals[channels + c] * op.rstd[c];
    op.doffset[c] = (float)totals[c];
    op.dscale[c] = (float)dscale;
    scratch[c] = (float)(-a[c] * dscale / count * op.rstd[c]);
    totals[c] = -a[c] * totals[c] / count;
  }
  repeat_channels(period, scratch, slope);
  for (int64_t c = 0; c < channels; c++) scratch[c] = (float)totals[c];
  repeat_channels(period, scratch, constant);
  free(totals);
  work.sums = slope;
  BatchNormGrad after = op;
  if (op.dside) {
    // The first pass has left the gradient at z there.
    after.dy = op.dside;
    after.dpooled = nullptr;
    work.op = &after;
  }
  parallel(blocks, norm_grad_with<T>(op.dside ? Activation::none : op.activation), &work);
  free(slope);
  release(constants);
}

}  // namespace
}  // namespace deep_cnn
