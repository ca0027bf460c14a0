// The scaling of channels by squeeze and excitation, forward and backward.
#pragma once

#include "kernels_normalise.h"

namespace deep_cnn {
namespace {

template <class T>
void scale_task(const void *given, int64_t image) {
  const auto &op = *(const Scale *)given;
  const Period period = period_of(op.channels);
  float *by = floats(period.size);
  repeat_channels(period, (const T *)op.by + image * op.channels, by);
  int64_t left = op.image_rows * op.channels;
  const T *x = (const T *)op.x + image * left;
  T *y = (T *)op.y + image * left;
  for (; left > 0; left -= period.size, x += period.size, y += period.size) {
    for_each_vector(least(period.size, left), [&](int64_t at, int64_t count) VISIT {
      store_some(y + at, load_some(x + at, count) * load(by + at), count);
    });
  }
  free(by);
}

template <class T>
void scale(const Scale &op) {
  parallel(op.images, scale_task<T>, &op);
}

template <class T>
struct ScaleGradWork {
  const Scale *op;
  const Remaker<T> *before;  // what was made of x, or null
};

// d(x s) = s dx + x ds, the latter summed over the pixels
template <class T>
void scale_grad_task(const void *given, int64_t image) {
  const auto &work = *(const ScaleGradWork<T> *)given;
  const auto &op = *work.op;
  const Period period = period_of(op.channels);
  float *by = floats(2 * period.size), *sum = by + period.size;
  repeat_channels(period, (const T *)op.by + image * op.channels, by);
  int64_t left = op.image_rows * op.channels;
  const T *x = (const T *)op.x + image * left, *dy = (const T *)op.dy + image * left;
  T *dx = (T *)op.dx + image * left;
  T *remade = work.before ? (T *)calloc(period.size, sizeof(T)) : nullptr;
  for (; left > 0; left -= period.size, x += period.size, dy += period.size, dx += period.size) {
    if (remade) (*work.before)(x, remade, least(period.size, left));
    const T *scaled = remade ? remade : x;
    for_each_vector(least(period.size, left), [&](int64_t at, int64_t count) VISIT {
      const V g = load_some(dy + at, count), in = load_some(scaled + at, count);
      store(sum + at, load(sum + at) + g * in);
      store_some(dx + at, g * load(by + at), count);
    });
  }
  T *dby = (T *)op.dby + image * op.channels;
  for (int64_t c = 0; c < op.channels; c++) {
    double total = 0;
    for (int64_t copy = 0; copy < period.repeat; copy++) total += sum[copy * op.channels + c];
    store_part(dby + c, splat((float)total), 1);
  }
  free(remade);
  free(by);
}

template <class T>
void scale_grad(const Scale &op) {
  if (!op.norm) {
    const ScaleGradWork<T> work = {&op, nullptr};
    return parallel(op.images, scale_grad_task<T>, &work);
  }
  const Remaker<T> before = remaker_of<T>(*op.norm, op.channels);
  const ScaleGradWork<T> work = {&op, &before};
  parallel(op.images, scale_grad_task<T>, &work);
  release(before.constants);
}

}  // namespace
}  // namespace deep_cnn
