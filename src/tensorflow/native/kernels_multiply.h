// The innermost loop of products of matrices.
#pragma once

#include "kernels_vector.h"

namespace deep_cnn {
namespace {

/** A matrix that is read by rows or, transposed, by columns: number k of row r is at [r * row + k * step]. */
struct Left {
  const float *at;
  int64_t row, step;
};

/** `R` rows of a times a panel [depth, `lanes` x Vectors]: added to c where `add`, else put there. */
template <int R, int Vectors>
ALWAYS_INLINE void multiply_rows(const Left &a, const float *panel, int64_t depth, float *c, int64_t c_stride, bool add) {
  V sum[R][Vectors] = {};
  const float *at = a.at;
  for (int64_t k = 0; k < depth; k++, at += a.step, panel += Vectors * lanes) {
    V b[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) b[v] = load(panel + v * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      const float each = at[r * a.row];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; v++) sum[r][v] += each * b[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) {
      float *to = c + r * c_stride + v * lanes;
      store(to, add ? load(to) + sum[r][v] : sum[r][v]);
    }
  }
}

}  // namespace
}  // namespace deep_cnn
