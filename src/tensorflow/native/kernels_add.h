// The sum of two tensors. TensorFlow's own takes bfloat16 apart number by number.
#pragma once

#include "kernels_vector.h"

namespace deep_cnn {
namespace {

/** Numbers that one task adds. */
constexpr int64_t add_block = 32768;

template <class T>
void add_task(const void *given, int64_t block) {
  const auto &op = *(const Add *)given;
  const int64_t first = block * add_block;
  const T *a = (const T *)op.a + first, *b = (const T *)op.b + first;
  T *y = (T *)op.y + first;
  for_each_vector(least(add_block, op.count - first), [&](int64_t at, int64_t count) VISIT {
    store_some(y + at, load_some(a + at, count) + load_some(b + at, count), count);
  });
}

template <class T>
void add(const Add &op) {
  parallel((op.count + add_block - 1) / add_block, add_task<T>, &op);
}

}  // namespace
}  // namespace deep_cnn
