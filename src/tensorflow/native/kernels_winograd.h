// Convolution by 3 x 3 pixels, stride 1, padded by 1, with Winograd's minimal filtering F(4 x 4, 3 x 3): a quarter of the
// multiplications (Lavin and Gray 2016, arXiv:1509.09308). With tiles d of 6 x 6 pixels, a filter g and results Y of 4 x 4,
//
//   Y = A' [(G g G') . (B' d B)] A,   dg = G' [(A dY A') . (B' d B)] G
//
// where the 36 products in brackets are products of matrices, over channels in Y and over tiles in dg. The gradient at the
// input is a convolution of dY with the filter turned round. All is computed in float32, whatever the images are.
#pragma once

#include "kernels_multiply.h"

namespace deep_cnn {
namespace {

constexpr int64_t tile_out = 4, tile_in = 6, points = 36;

// Numbers that are summed at a time, in rows and in vectors: 12 of AVX2's 16 registers, 24 of the 32 of AVX-512 and ARM.
constexpr int micro_rows = VECTOR_BYTES == 64 ? 12 : 6, micro_vectors = VECTOR_BYTES == 16 ? 4 : 2;

/** Columns of a panel; of those that are left over, a vector. */
constexpr int64_t wide = micro_vectors * lanes;

// The points of interpolation: 0, the roots of 1/2 and of 2 on both sides of it, and infinity. The largest errors are a
// quarter of those with 1 and 2 in place of the roots.
constexpr float root = 1.41421356f, root_half = 0.70710678f;

/** What a transform has for 0 and infinity, and the sums of even and of odd powers at the roots of 1/2 and of 2. */
struct Powers {
  V zero, even, odd, even2, odd2, infinity;
};

/** The six results, one for each point. */
template <class Put>
ALWAYS_INLINE void put_points(Put put, const Powers &p) {
  put(0, p.zero);
  put(1, p.even + p.odd);
  put(2, p.even - p.odd);
  put(3, p.even2 + p.odd2);
  put(4, p.even2 - p.odd2);
  put(5, p.infinity);
}

/** B' d: of six numbers, the six that are multiplied. */
template <class Get, class Put>
ALWAYS_INLINE void transform_in(Get d, Put put) {
  const V d0 = d(0), d1 = d(1), d2 = d(2), d3 = d(3), d4 = d(4), d5 = d(5);
  const V even = d4 - 2.0f * d2, odd = root_half * d3 - root * d1;
  const V even2 = d4 - 0.5f * d2, odd2 = root * d3 - root_half * d1;
  put_points(put, {d0 - 2.5f * d2 + d4, even, odd, even2, odd2, d1 - 2.5f * d3 + d5});
}

/** G g: of a filter's three numbers. */
template <class Get, class Put>
ALWAYS_INLINE void transform_filter(Get g, Put put) {
  const V g0 = g(0), g1 = g(1), g2 = g(2);
  const V even = g0 * (-2.0f / 3.0f) + g2 * (-1.0f / 3.0f), odd = g1 * (-root / 3.0f);
  const V even2 = g0 * (1.0f / 6.0f) + g2 * (1.0f / 3.0f), odd2 = g1 * (root / 6.0f);
  put_points(put, {g0, even, odd, even2, odd2, g2});
}

/** A' m: four results of six products. */
template <class Get, class Put>
ALWAYS_INLINE void transform_out(Get m, Put put) {
  const V m0 = m(0), m1 = m(1), m2 = m(2), m3 = m(3), m4 = m(4), m5 = m(5);
  const V sum = m1 + m2, difference = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
  put(0, m0 + sum + sum2);
  put(1, root_half * difference + root * difference2);
  put(2, 0.5f * sum + 2.0f * sum2);
  put(3, (root / 4.0f) * difference + (2.0f * root) * difference2 + m5);
}

/** A y: the transpose of `transform_out`, for four gradients. */
template <class Get, class Put>
ALWAYS_INLINE void transform_grad(Get y, Put put) {
  const V y0 = y(0), y1 = y(1), y2 = y(2), y3 = y(3);
  const V even = y0 + 0.5f * y2, odd = root_half * y1 + (root / 4.0f) * y3;
  const V even2 = y0 + 2.0f * y2, odd2 = root * y1 + (2.0f * root) * y3;
  put_points(put, {y0, even, odd, even2, odd2, y3});
}

/** G' u: the transpose of `transform_filter`, of six sums. */
template <class Get, class Put>
ALWAYS_INLINE void transform_filter_grad(Get u, Put put) {
  const V u0 = u(0), u1 = u(1), u2 = u(2), u3 = u(3), u4 = u(4), u5 = u(5);
  const V sum = u1 + u2, sum2 = u3 + u4;
  put(0, u0 + sum * (-2.0f / 3.0f) + sum2 * (1.0f / 6.0f));
  put(1, (u1 - u2) * (-root / 3.0f) + (u3 - u4) * (root / 6.0f));
  put(2, (sum2 - sum) * (1.0f / 3.0f) + u5);
}

/**
 * Tiles of results, in rows and columns of an image, one image after the other. Of each pixel `channels` numbers are taken,
 * `pixel` apart from the next one's.
 */
struct Tiles {
  int64_t height, width, pixel, channels;
  int64_t rows, columns, count;
};

ALWAYS_INLINE Tiles tiles_of(int64_t images, int64_t height, int64_t width, int64_t channels) {
  const int64_t rows = (height + tile_out - 1) / tile_out, columns = (width + tile_out - 1) / tile_out;
  return {height, width, channels, channels, rows, columns, images * rows * columns};
}

/** Where a tile of `Size` x `Size` pixels lies that begins at `-Margin` of its results; pixels outside count as zeros. */
struct Place {
  int64_t image, top, left;
};

ALWAYS_INLINE Place place_of(const Tiles &tiles, int64_t tile, int64_t margin) {
  const int64_t column = tile % tiles.columns, row = tile / tiles.columns % tiles.rows;
  return {tile / (tiles.columns * tiles.rows), row * tile_out - margin, column * tile_out - margin};
}

/**
 * Numbers between one point's matrix and the next in what `tiles` transformed tiles take: no multiple of a cache's way,
 * where all 36 would fall on the same lines.
 */
ALWAYS_INLINE int64_t point_stride(int64_t tiles, int64_t channels) { return tiles * channels + lanes; }

/** Transforms one tile of x, B' d B or (`Grad`) A d A', into `to`[36][...][C], at the tile's own row. */
template <class T, bool Grad>
ALWAYS_INLINE void transform_tile(const T *x, const Tiles &tiles, int64_t tile, float *to, int64_t stride) {
  constexpr int size = Grad ? tile_out : tile_in;
  const Place place = place_of(tiles, tile, Grad ? 0 : 1);
  const int64_t C = tiles.channels, pixel = tiles.pixel;
  const T *from = x + ((place.image * tiles.height + place.top) * tiles.width + place.left) * pixel;
  const int top = (int)most(0, -place.top), bottom = (int)least(size, tiles.height - place.top);
  const int left = (int)most(0, -place.left), right = (int)least(size, tiles.width - place.left);
  const bool inside = top == 0 && left == 0 && bottom == size && right == size;
  for (int64_t c = 0; c < C; c += lanes) {
    V half[tile_in][size];
    for (int j = 0; j < size; j++) {
      const auto put = [&](int i, V v) __attribute__((always_inline)) { half[i][j] = v; };
      const auto within = [&](int i) __attribute__((always_inline)) {
        return load(from + (i * tiles.width + j) * pixel + c);
      };
      const auto checked = [&](int i) __attribute__((always_inline)) {
        return i >= top && i < bottom && j >= left && j < right ? within(i) : V{};
      };
      if (Grad) {
        if (inside) transform_grad(within, put);
        else transform_grad(checked, put);
      } else {
        if (inside) transform_in(within, put);
        else transform_in(checked, put);
      }
    }
    for (int i = 0; i < tile_in; i++) {
      const auto get = [&](int j) __attribute__((always_inline)) { return half[i][j]; };
      const auto put = [&](int j, V v) __attribute__((always_inline)) { store(to + (i * tile_in + j) * stride + c, v); };
      if (Grad) transform_grad(get, put);
      else transform_in(get, put);
    }
  }
}

/** A' m A of one tile, into the images y. */
template <class T>
ALWAYS_INLINE void write_tile(const float *from, int64_t stride, const Tiles &tiles, int64_t tile, T *y) {
  const Place place = place_of(tiles, tile, 0);
  const int64_t C = tiles.channels, pixel = tiles.pixel;
  T *to = y + ((place.image * tiles.height + place.top) * tiles.width + place.left) * pixel;
  const int bottom = (int)least(tile_out, tiles.height - place.top), right = (int)least(tile_out, tiles.width - place.left);
  for (int64_t c = 0; c < C; c += lanes) {
    V half[tile_out][tile_in];
    for (int j = 0; j < tile_in; j++) {
      const auto get = [&](int i) __attribute__((always_inline)) { return load(from + (i * tile_in + j) * stride + c); };
      const auto put = [&](int i, V v) __attribute__((always_inline)) { half[i][j] = v; };
      transform_out(get, put);
    }
    for (int i = 0; i < bottom; i++) {
      const auto get = [&](int j) __attribute__((always_inline)) { return half[i][j]; };
      const auto put = [&](int j, V v) __attribute__((always_inline)) {
        if (j < right) store(to + (i * tiles.width + j) * pixel + c, v);
      };
      transform_out(get, put);
    }
  }
}

/** All `rows` of a times a panel. */
template <int Vectors>
ALWAYS_INLINE void multiply_panel(const Left &a, int64_t rows, const float *panel, int64_t depth, float *c,
                                  int64_t c_stride, bool add) {
  const auto from = [&](int64_t row) __attribute__((always_inline)) { return Left{a.at + row * a.row, a.row, a.step}; };
  int64_t row = 0;
  for (; row + micro_rows <= rows; row += micro_rows) {
    multiply_rows<micro_rows, Vectors>(from(row), panel, depth, c + row * c_stride, c_stride, add);
  }
  for (; row + 2 <= rows; row += 2) {
    multiply_rows<2, Vectors>(from(row), panel, depth, c + row * c_stride, c_stride, add);
  }
  if (row < rows) multiply_rows<1, Vectors>(from(row), panel, depth, c + row * c_stride, c_stride, add);
}

/** As many numbers of a panel's depth as stay in the first cache beside the rows. */
constexpr int64_t depth_at_once = 256;

/** The same, some of the depth at a time, of a [rows, depth]. */
template <int Vectors>
ALWAYS_INLINE void multiply_deep_panel(const float *a, int64_t rows, const float *panel, int64_t depth, float *c,
                                       int64_t c_stride) {
  for (int64_t from = 0; from < depth; from += depth_at_once) {
    const int64_t length = least(depth_at_once, depth - from);
    multiply_panel<Vectors>({a + from, depth, 1}, rows, panel + from * Vectors * lanes, length, c, c_stride, from > 0);
  }
}

/** Columns `first` to `end` of c [rows, columns] = a [rows, depth] times b, in panels as `pack_filter_task` lays them. */
void multiply(const float *a, int64_t rows, const float *b, int64_t depth, int64_t first, int64_t end, int64_t columns,
              float *c) {
  int64_t column = first;
  for (; column + wide <= end; column += wide) {
    multiply_deep_panel<micro_vectors>(a, rows, b + column * depth, depth, c + column, columns);
  }
  for (; column < end; column += lanes) {
    multiply_deep_panel<1>(a, rows, b + column * depth, depth, c + column, columns);
  }
}

/**
 * Channels of results that are computed at a time, out of `outputs`: each channel of theirs, transformed, takes 36 x `depth`
 * numbers, and all together about 10 MB, so that they stay in a shared cache and leave memory for others.
 */
ALWAYS_INLINE int64_t outputs_at_once(int64_t depth, int64_t outputs) {
  return least(outputs, most(64, 70000 / depth / 64 * 64));
}

/** What the tasks of one convolution share. */
struct Convolution {
  Tiles in, out;  // the latter of the outputs at hand
  int64_t first_output;
  const void *x;
  const float *filter;  // [3, 3, C, K], or, turned, [3, 3, K, C]
  bool turned;
  float *packed;  // [36][C x K, in panels of up to `lanes` x micro_vectors columns]
  int64_t packed_stride;
  void *y;
  int64_t tiles_at_once;
  // the tiles at hand, [36][count][C] and [36][count][K]; null where each task takes some for itself
  float *in_tiles, *out_tiles;
  int64_t first, count, in_stride, out_stride;
};

/** G g G' of a vector of columns, of one point after the other, each matrix in panels as `multiply` reads them. */
void pack_filter_task(const void *given, int64_t index) {
  const auto &op = *(const Convolution *)given;
  const int64_t depth = op.in.channels, columns = op.out.channels, all = op.out.pixel;
  const int64_t column = index * lanes;
  // Its panel, and its place there.
  const int64_t whole = columns / wide * wide;
  const int64_t width = column < whole ? wide : lanes;
  const int64_t first = column < whole ? column / wide * wide : column;
  float *to = op.packed + first * depth + (column - first);
  float turned[lanes];
  for (int64_t c = 0; c < depth; c++, to += width) {
    V g[3][3];
    for (int i = 0; i < 3; i++) {
      for (int j = 0; j < 3; j++) {
        if (op.turned) {
          const float *from = op.filter + (((2 - i) * 3 + (2 - j)) * all + op.first_output + column) * depth + c;
          for (int k = 0; k < lanes; k++) turned[k] = from[k * depth];
          g[i][j] = load(turned);
        } else {
          g[i][j] = load(op.filter + ((i * 3 + j) * depth + c) * all + op.first_output + column);
        }
      }
    }
    V half[tile_in][3];
    for (int j = 0; j < 3; j++) {
      transform_filter([&](int i) __attribute__((always_inline)) { return g[i][j]; },
                       [&](int i, V v) __attribute__((always_inline)) { half[i][j] = v; });
    }
    for (int i = 0; i < tile_in; i++) {
      transform_filter([&](int j) __attribute__((always_inline)) { return half[i][j]; },
                       [&](int j, V v) __attribute__((always_inline)) {
                         store(to + (i * tile_in + j) * op.packed_stride, v);
                       });
    }
  }
}

/** All of some tiles, which stay in a thread's own cache. */
template <class T>
void convolve_task(const void *given, int64_t index) {
  const auto &op = *(const Convolution *)given;
  const int64_t C = op.in.channels, K = op.out.channels;
  const int64_t first = index * op.tiles_at_once, count = least(op.tiles_at_once, op.in.count - first);
  const int64_t in_stride = point_stride(count, C), out_stride = point_stride(count, K);
  float *in = scratch(points * (in_stride + out_stride)), *out = in + points * in_stride;
  for (int64_t t = 0; t < count; t++) {
    transform_tile<T, false>((const T *)op.x, op.in, first + t, in + t * C, in_stride);
  }
  for (int64_t p = 0; p < points; p++) {
    multiply(in + p * in_stride, count, op.packed + p * op.packed_stride, C, 0, K, K, out + p * out_stride);
  }
  for (int64_t t = 0; t < count; t++) write_tile(out + t * K, out_stride, op.out, first + t, (T *)op.y);
  free(in);
}

/** Tiles that a task transforms. */
constexpr int64_t tiles_in_task = 8;

template <class T>
void transform_task(const void *given, int64_t index) {
  const auto &op = *(const Convolution *)given;
  const int64_t end = least(op.count, (index + 1) * tiles_in_task), C = op.in.channels;
  for (int64_t t = index * tiles_in_task; t < end; t++) {
    transform_tile<T, false>((const T *)op.x, op.in, op.first + t, op.in_tiles + t * C, op.in_stride);
  }
}

/** Columns of a point's product that a task computes; whole panels. */
constexpr int64_t columns_in_task = 64;

void multiply_task(const void *given, int64_t index) {
  const auto &op = *(const Convolution *)given;
  const int64_t C = op.in.channels, K = op.out.channels, parts = (K + columns_in_task - 1) / columns_in_task;
  const int64_t point = index / parts, first = index % parts * columns_in_task;
  multiply(op.in_tiles + point * op.in_stride, op.count, op.packed + point * op.packed_stride, C, first,
           least(K, first + columns_in_task), K, op.out_tiles + point * op.out_stride);
}

template <class T>
void write_task(const void *given, int64_t index) {
  const auto &op = *(const Convolution *)given;
  const int64_t end = least(op.count, (index + 1) * tiles_in_task), K = op.out.channels;
  for (int64_t t = index * tiles_in_task; t < end; t++) {
    write_tile(op.out_tiles + t * K, op.out_stride, op.out, op.first + t, (T *)op.y + op.first_output);
  }
}

/** How many tiles a task takes alone: their transforms are to stay in the second cache. */
ALWAYS_INLINE int64_t tiles_for_task(int64_t tiles, int64_t channels, int64_t outputs) {
  const int64_t cached = (1 << 18) / (points * (channels + outputs)) / micro_rows * micro_rows;
  // Enough tasks for many threads, as far as there are tiles.
  return most(micro_rows, least(cached, tiles / 64 / micro_rows * micro_rows));
}

/** Filters from which on, transformed, they take more room than a processor's own caches have. */
constexpr int64_t large_filter = 128 * 128;

/** What is convolved, and where in the room that is given the parts lie; `whole` is how much room they take. */
ALWAYS_INLINE Convolution convolution_of(const Winograd &given, int64_t *whole) {
  Convolution op = {};
  op.turned = given.dx != nullptr;
  const int64_t C = op.turned ? given.outputs : given.channels, K = op.turned ? given.channels : given.outputs;
  op.in = tiles_of(given.images, given.height, given.width, C);
  op.out = tiles_of(given.images, given.height, given.width, K);
  op.x = op.turned ? given.dy : given.x, op.y = op.turned ? given.dx : given.y, op.filter = given.filter;
  op.packed = given.room;
  if (C * K <= large_filter) {
    op.packed_stride = point_stride(C, K);
    *whole = points * op.packed_stride;
    op.tiles_at_once = tiles_for_task(op.in.count, C, K);
    return op;
  }
  op.out.channels = outputs_at_once(C, K);
  op.packed_stride = point_stride(C, op.out.channels);
  // About 16 MB of transforms at a time, so that the filter is read seldom.
  op.tiles_at_once = least(op.in.count, most(128, (1 << 22) / (points * (C + op.out.channels))));
  op.in_stride = point_stride(op.tiles_at_once, C), op.out_stride = point_stride(op.tiles_at_once, op.out.channels);
  op.in_tiles = op.packed + points * op.packed_stride;
  op.out_tiles = op.in_tiles + points * op.in_stride;
  *whole = points * (op.packed_stride + op.in_stride + op.out_stride);
  return op;
}

template <class T>
void convolve(const Winograd &given) {
  int64_t whole;
  Convolution op = convolution_of(given, &whole);
  if (!op.in_tiles) {
    parallel(op.out.channels / lanes, pack_filter_task, &op);
    return parallel((op.in.count + op.tiles_at_once - 1) / op.tiles_at_once, convolve_task<T>, &op);
  }
  const int64_t outputs = op.out.channels;
  for (; op.first_output < op.out.pixel; op.first_output += outputs) {
    op.out.channels = least(outputs, op.out.pixel - op.first_output);
    parallel(op.out.channels / lanes, pack_filter_task, &op);
    for (op.first = 0; op.first < op.in.count; op.first += op.tiles_at_once) {
      op.count = least(op.tiles_at_once, op.in.count - op.first);
      const int64_t tasks = (op.count + tiles_in_task - 1) / tiles_in_task;
      // All tiles at once are there from the outputs before.
      if (op.first_output == 0 || op.count < op.in.count) parallel(tasks, transform_task<T>, &op);
      parallel(points * ((op.out.channels + columns_in_task - 1) / columns_in_task), multiply_task, &op);
      parallel(tasks, write_task<T>, &op);
    }
  }
}

/** What the tasks of a filter's gradient share. */
struct FilterGrad {
  Tiles in, out;  // the latter of the outputs at hand
  const void *x, *dy;
  int64_t first_output, tiles_at_once, first, count;  // the latter two: of the tiles at hand
  bool transforms_in;  // else x is there from the outputs before
  int64_t in_stride, out_stride, sum_stride;
  float *in_tiles, *out_tiles;  // [36][count][C] and [36][count][outputs at hand]
  float *sums;  // [36][C][outputs at hand]
  float *dfilter;
};

template <class T>
void transform_both_task(const void *given, int64_t index) {
  const auto &op = *(const FilterGrad *)given;
  const int64_t end = least(op.count, (index + 1) * tiles_in_task);
  for (int64_t t = index * tiles_in_task; t < end; t++) {
    if (op.transforms_in) {
      transform_tile<T, false>((const T *)op.x, op.in, op.first + t, op.in_tiles + t * op.in.channels, op.in_stride);
    }
    transform_tile<T, true>((const T *)op.dy + op.first_output, op.out, op.first + t, op.out_tiles + t * op.out.channels,
                            op.out_stride);
  }
}

ALWAYS_INLINE int64_t strips_of(int64_t columns) { return (columns + wide - 1) / wide; }

/** One point's product, of a strip of columns, laid side by side first. */
void filter_sum_task(const void *given, int64_t index) {
  const auto &op = *(const FilterGrad *)given;
  const int64_t C = op.in.channels, K = op.out.channels, strips = strips_of(K);
  const int64_t point = index / strips, column = index % strips * wide;
  const int64_t width = column + wide <= K ? wide : lanes;
  const Left a = {op.in_tiles + point * op.in_stride, 1, C};
  const float *b = op.out_tiles + point * op.out_stride + column;
  float *c = op.sums + point * op.sum_stride + column;
  float *packed = scratch(op.count * width);
  for (int64_t t = 0; t < op.count; t++) {
    for (int64_t v = 0; v < width; v += lanes) store(packed + t * width + v, load(b + t * K + v));
  }
  const bool add = op.first > 0;
  if (width == wide) multiply_panel<micro_vectors>(a, C, packed, op.count, c, K, add);
  else multiply_panel<1>(a, C, packed, op.count, c, K, add);
  free(packed);
}

/** G' u G of the sums of one input channel. */
void write_filter_task(const void *given, int64_t index) {
  const auto &op = *(const FilterGrad *)given;
  const int64_t C = op.in.channels, K = op.out.channels;
  float *to = op.dfilter + index * op.out.pixel + op.first_output;
  for (int64_t k = 0; k < K; k += lanes) {
    const float *from = op.sums + index * K + k;
    V half[3][tile_in];
    for (int j = 0; j < tile_in; j++) {
      transform_filter_grad(
          [&](int i) __attribute__((always_inline)) { return load(from + (i * tile_in + j) * op.sum_stride); },
          [&](int i, V v) __attribute__((always_inline)) { half[i][j] = v; });
    }
    for (int i = 0; i < 3; i++) {
      transform_filter_grad([&](int j) __attribute__((always_inline)) { return half[i][j]; },
                            [&](int j, V v) __attribute__((always_inline)) {
                              store(to + (i * 3 + j) * C * op.out.pixel + k, v);
                            });
    }
  }
}

ALWAYS_INLINE FilterGrad filter_grad_of(const Winograd &given, int64_t *whole) {
  FilterGrad op = {};
  const int64_t C = given.channels, K = given.outputs;
  op.in = tiles_of(given.images, given.height, given.width, C);
  op.out = tiles_of(given.images, given.height, given.width, K);
  op.x = given.x, op.dy = given.dy, op.dfilter = given.dfilter;
  op.out.channels = outputs_at_once(C, K);
  // About 4 MB of transforms at a time.
  op.tiles_at_once = least(op.in.count, most(64, (1 << 20) / (points * (C + op.out.channels))));
  op.in_stride = point_stride(op.tiles_at_once, C), op.out_stride = point_stride(op.tiles_at_once, op.out.channels);
  op.sum_stride = point_stride(C, op.out.channels);
  op.in_tiles = given.room, op.out_tiles = op.in_tiles + points * op.in_stride;
  op.sums = op.out_tiles + points * op.out_stride;
  *whole = points * (op.in_stride + op.out_stride + op.sum_stride);
  return op;
}

template <class T>
void convolve_filter_grad(const Winograd &given) {
  int64_t whole;
  FilterGrad op = filter_grad_of(given, &whole);
  const int64_t outputs = op.out.channels;
  for (; op.first_output < op.out.pixel; op.first_output += outputs) {
    op.out.channels = least(outputs, op.out.pixel - op.first_output);
    for (op.first = 0; op.first < op.in.count; op.first += op.tiles_at_once) {
      op.count = least(op.tiles_at_once, op.in.count - op.first);
      op.transforms_in = op.first_output == 0 || op.count < op.in.count;
      parallel((op.count + tiles_in_task - 1) / tiles_in_task, transform_both_task<T>, &op);
      parallel(points * strips_of(op.out.channels), filter_sum_task, &op);
    }
    parallel(op.in.channels, write_filter_task, &op);
  }
}

template <class T>
void winograd(const Winograd &op) {
  if (op.dfilter) convolve_filter_grad<T>(op);
  else convolve<T>(op);
}

int64_t winograd_room(const Winograd &op) {
  int64_t whole;
  if (op.dfilter) filter_grad_of(op, &whole);
  else convolution_of(op, &whole);
  return whole;
}

}  // namespace
}  // namespace deep_cnn
