// The gradient of a convolution's filter in float32, for x86 processors with AVX2.
//
// dfilter[d, k] = Σ window[pixel, d] dy[pixel, k] is a product of matrices over the pixels of all results, where d counts
// what a window reads. The windows are not laid side by side in memory: each row of a window is read where it lies, by a pointer
// (as in the indirect convolution algorithm, Dukhan 2019, arXiv:1907.02129). A tile of the product stays in a processor's
// second cache; pixels are packed for it, in the innermost loop's order, while those before them are multiplied.
#include "kernels.h"

#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VECTOR_BYTES 32
#include "kernels_multiply.h"
#include "kernels_normalise.h"

namespace deep_cnn {
namespace {

/** Rows of the product that are summed at a time in panels of so many vectors of columns: what fits into 16 registers. */
template <int Vectors>
constexpr int panel_rows = Vectors == 1 ? 8 : 12 / Vectors;

template <int Vectors>
constexpr int64_t panel_columns = Vectors * lanes;

/** A tile, in numbers; all kinds of panels fill it. */
constexpr int64_t tile_rows = 192, tile_columns = 128;

/** Pixels that are packed at a time, and how many of them ahead memory is asked for what is packed then. */
constexpr int64_t pixels_at_once = 192, pixels_ahead = 8;

/** The fewest pixels that are worth sums of their own, to be added up at the end, and the tasks that are enough. */
constexpr int64_t fewest_pixels = 1024, enough_tasks = 64;

constexpr int64_t line_numbers = 16;

/** Numbers between one panel and the next: not a multiple of a cache's way. */
template <int64_t Width>
constexpr int64_t panel_pitch = pixels_at_once * Width + line_numbers;

/** Numbers in one row of a window, which lie side by side. */
int64_t window_row(const FilterGrad &op) { return op.kernel_width * op.channels; }

/** Rows of the product: numbers in a window. */
int64_t depth_of(const FilterGrad &op) { return op.kernel_height * window_row(op); }

/** Whether windows reach over the images' left or right side. */
bool reaches_sides(const FilterGrad &op) {
  return op.left > 0 || (op.out_width - 1) * op.stride - op.left + op.kernel_width > op.width;
}

/** How the product is divided: in tiles of panels of two vectors, and, where vectors are odd, of a last one of one or three. */
struct Plan {
  int64_t pairs, last_vectors;  // columns: panels of two vectors, vectors of the last panel or 0
  int64_t pair_row_panels, last_row_panels;
  int64_t pair_row_tiles, pair_column_tiles, last_row_tiles;
  int64_t parts, part_pixels;  // of the pixels, with sums of their own

  int64_t pair_tiles() const { return pair_row_tiles * pair_column_tiles; }
  int64_t tiles() const { return pair_tiles() + last_row_tiles; }
};

Plan plan_of(const FilterGrad &op) {
  Plan p = {};
  const int64_t vectors = divide_up(op.outputs, lanes), pixels = op.images * op.out_height * op.out_width;
  p.last_vectors = vectors % 2 == 0 ? 0 : vectors == 1 ? 1 : 3;
  p.pairs = (vectors - p.last_vectors) / 2;
  const int64_t last_rows = p.last_vectors == 3 ? panel_rows<3> : panel_rows<1>;
  const auto row_panels = [&](int64_t rows) { return op.kernel_height * divide_up(window_row(op), rows); };
  p.pair_row_panels = row_panels(panel_rows<2>);
  p.last_row_panels = p.last_vectors > 0 ? row_panels(last_rows) : 0;
  p.pair_row_tiles = divide_up(p.pair_row_panels * panel_rows<2>, tile_rows);
  p.pair_column_tiles = divide_up(p.pairs * panel_columns<2>, tile_columns);
  p.last_row_tiles = divide_up(p.last_row_panels * last_rows, tile_rows);
  const int64_t parts = most(1, least(enough_tasks / p.tiles(), pixels / fewest_pixels));
  p.part_pixels = round_up(divide_up(pixels, parts), pixels_at_once);
  p.parts = divide_up(pixels, p.part_pixels);
  return p;
}

struct Work {
  const FilterGrad *op;
  const Plan *plan;
  const Remaker<float> *remaker;  // of what lies at x, or null
  float *sums;                    // [parts][depth][outputs]
};

/** Rows of a tile that belong to one row of the windows: `count` of them from `offset` on, in `panels` panels. */
struct Segment {
  int64_t window_row, offset, count, panels;
};

struct Tile {
  Segment segments[tile_rows / panel_rows<3>];
  int64_t segment_count, row_panels, column_panels;
  int64_t first_window_row, window_rows;
  int64_t first_column, columns;
};

/** Panels `first_row` to `end_row` of rows, `first_panel` to `end_panel` of columns. */
template <int Vectors>
Tile tile_of(const FilterGrad &op, int64_t first_row, int64_t end_row, int64_t first_panel, int64_t end_panel) {
  constexpr int R = panel_rows<Vectors>;
  const int64_t numbers = window_row(op), in_window_row = divide_up(numbers, R);
  Tile tile = {};
  tile.row_panels = end_row - first_row, tile.column_panels = end_panel - first_panel;
  tile.first_window_row = first_row / in_window_row;
  tile.window_rows = (end_row - 1) / in_window_row + 1 - tile.first_window_row;
  // Before a last panel, all have two vectors.
  tile.first_column = first_panel * panel_columns<2>;
  tile.columns = least(tile.column_panels * panel_columns<Vectors>, op.outputs - tile.first_column);
  for (int64_t row = first_row; row < end_row;) {
    const int64_t offset = row % in_window_row * R, panels = least(in_window_row - row % in_window_row, end_row - row);
    tile.segments[tile.segment_count++] = {row / in_window_row - tile.first_window_row, offset,
                                           least(panels * R, numbers - offset), panels};
    row += panels;
  }
  return tile;
}

/** Some pixels' part of a product: where they lie, and laid out in panels, [pixel][rows] and [pixel][columns]. */
struct Pixels {
  const float **from;  // [window rows][pixels_at_once]: what they read
  const float *dy;
  float *rows, *columns, *edges;
  int64_t count;
};

/**
 * Points at the rows of some pixels' windows. Those that reach over a side are copied, with zeros; `zeros` stand for those
 * above and below.
 */
void point(const FilterGrad &op, const Tile &tile, int64_t first, const float *zeros, const Pixels &pixels) {
  const int64_t length = window_row(op), line = op.width * op.channels;
  int64_t column = first % op.out_width, row = first / op.out_width % op.out_height;
  const float *image = (const float *)op.x + first / (op.out_width * op.out_height) * op.height * line;
  float *edge = pixels.edges;
  for (int64_t pixel = 0; pixel < pixels.count; pixel++) {
    const int64_t left = column * op.stride - op.left;
    const int64_t begin = most(0, -left) * op.channels, end = least(op.kernel_width, op.width - left) * op.channels;
    for (int64_t i = 0; i < tile.window_rows; i++) {
      const int64_t y = row * op.stride - op.top + tile.first_window_row + i;
      const float **slot = pixels.from + i * pixels_at_once + pixel;
      if (y < 0 || y >= op.height || end <= begin) {
        *slot = zeros;
        continue;
      }
      *slot = image + y * line + left * op.channels;
      if (begin == 0 && end == length) continue;
      memset(edge, 0, length * sizeof(float));
      memcpy(edge + begin, *slot + begin, (end - begin) * sizeof(float));
      *slot = edge;
      edge += length;
    }
    if (++column < op.out_width) continue;
    column = 0;
    if (++row < op.out_height) continue;
    row = 0, image += op.height * line;
  }
}

ALWAYS_INLINE void fetch(const float *numbers, int64_t count) {
  for (int64_t at = 0; at < count; at += line_numbers) __builtin_prefetch(numbers + at, 0, 2);
}

/**
 * Packs pixels `first` to `end`, whose turn comes after all before them: what is written beyond a pixel's numbers is where
 * the next one's come. `made`: room for a row of a window.
 */
template <int Vectors>
__attribute__((noinline)) void pack(const Work &work, const Tile &tile, const Pixels &pixels, int64_t first,
                                    int64_t end, float *made) {
  constexpr int R = panel_rows<Vectors>, width = panel_columns<Vectors>;
  const int64_t K = work.op->outputs;
  for (int64_t pixel = first; pixel < end; pixel++) {
    const bool fetches = pixel + pixels_ahead < pixels.count;
    float *to = pixels.rows + pixel * R;
    for (int64_t i = 0; i < tile.segment_count; i++) {
      const Segment &segment = tile.segments[i];
      const float *const *from = pixels.from + segment.window_row * pixels_at_once + pixel;
      if (fetches) fetch(from[pixels_ahead] + segment.offset, segment.count);
      const float *numbers = *from;
      if (work.remaker) {
        // Windows of one pixel: there is but one segment.
        work.remaker->part(numbers, made, segment.offset, segment.offset + segment.count);
        numbers = made;
      }
      numbers += segment.offset;
      int64_t left = segment.count;
      for (; left >= lanes; left -= R, numbers += R, to += panel_pitch<R>) store(to, load(numbers));
      for (; left > 0; left -= R, numbers += R, to += panel_pitch<R>) {
        for (int64_t r = 0; r < R; r++) to[r] = r < left ? numbers[r] : 0;
      }
    }
    const float *dy = pixels.dy + pixel * K;
    if (fetches) fetch(dy + pixels_ahead * K, tile.columns);
    to = pixels.columns + pixel * width;
    int64_t left = tile.columns;
    for (; left >= width; left -= width, dy += width, to += panel_pitch<width>) {
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; v++) store(to + v * lanes, load(dy + v * lanes));
    }
    for (int64_t k = 0; k < width && left > 0; k++) to[k] = k < left ? dy[k] : 0;
  }
}

/** The product of two panels, put at `to` [rows][columns], or added there: a function of its own, so that sums stay in registers. */
template <int Vectors>
__attribute__((noinline)) void multiply(const float *rows, const float *columns, int64_t pixels, float *to, bool add) {
  constexpr int R = panel_rows<Vectors>;
  multiply_rows<R, Vectors>({rows, 1, R}, columns, pixels, to, panel_columns<Vectors>, add);
}

/** The sums of one tile, over the pixels of one part. */
template <int Vectors>
void sum_tile(const Work &work, int64_t part, const Tile &tile) {
  constexpr int R = panel_rows<Vectors>, width = panel_columns<Vectors>;
  const FilterGrad &op = *work.op;
  const int64_t length = window_row(op), K = op.outputs, products = tile.row_panels * tile.column_panels;
  const int64_t edges = reaches_sides(op) ? pixels_at_once * tile.window_rows * length : 0;
  const int64_t pointers = tile.window_rows * pixels_at_once;
  const int64_t row_numbers = tile.row_panels * panel_pitch<R>;
  const int64_t column_numbers = tile.column_panels * panel_pitch<width>;
  const int64_t numbers = 2 * (row_numbers + column_numbers + edges) + products * R * width + 2 * length + lanes;
  auto *from = (const float **)room_of_thread(2 * pointers * sizeof(float *) + numbers * sizeof(float));
  float *rows = (float *)(from + 2 * pointers), *columns = rows + 2 * row_numbers, *sums = columns + 2 * column_numbers;
  float *edge = sums + products * R * width, *zeros = edge + 2 * edges, *made = zeros + length;
  memset(zeros, 0, length * sizeof(float));
  Pixels now = {from, nullptr, rows, columns, edge, 0};
  Pixels later = {from + pointers, nullptr, rows + row_numbers, columns + column_numbers, edge + edges, 0};
  const int64_t begin = part * work.plan->part_pixels;
  const int64_t end = least(op.images * op.out_height * op.out_width, begin + work.plan->part_pixels);
  // At first there is nothing to multiply while the first pixels are packed.
  for (int64_t first = begin - pixels_at_once; first < end; first += pixels_at_once) {
    const int64_t next = first + pixels_at_once;
    later.count = most(0, least(pixels_at_once, end - next));
    later.dy = (const float *)op.dy + next * K + tile.first_column;
    point(op, tile, next, zeros, later);
    int64_t product = 0, packed = 0;
    for (int64_t panel = 0; panel < tile.column_panels && now.count > 0; panel++) {
      for (int64_t row = 0; row < tile.row_panels; row++) {
        multiply<Vectors>(now.rows + row * panel_pitch<R>, now.columns + panel * panel_pitch<width>, now.count,
                          sums + product * R * width, first > begin);
        const int64_t wanted = later.count * ++product / products;
        pack<Vectors>(work, tile, later, packed, wanted, made);
        packed = wanted;
      }
    }
    pack<Vectors>(work, tile, later, packed, later.count, made);
    const Pixels before = now;
    now = later, later = before;
  }
  float *all = work.sums + part * depth_of(op) * K + tile.first_column;
  for (int64_t column = 0; column < tile.columns; column += width) {
    const size_t bytes = least(width, tile.columns - column) * sizeof(float);
    for (int64_t i = 0; i < tile.segment_count; i++) {
      const Segment &segment = tile.segments[i];
      float *to = all + ((tile.first_window_row + segment.window_row) * length + segment.offset) * K + column;
      for (int64_t row = 0; row < segment.count; row++) memcpy(to + row * K, sums + row * width, bytes);
      sums += segment.panels * R * width;
    }
  }
}

void sum_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const FilterGrad &op = *work.op;
  const Plan &p = *work.plan;
  const int64_t part = index % p.parts, tile = index / p.parts;
  // As many panels in each tile, but for one.
  const auto first_of = [](int64_t tile, int64_t tiles, int64_t panels) { return panels * tile / tiles; };
  if (tile < p.pair_tiles()) {
    const int64_t row_tile = tile % p.pair_row_tiles, column_tile = tile / p.pair_row_tiles;
    const auto row = [&](int64_t tile) { return first_of(tile, p.pair_row_tiles, p.pair_row_panels); };
    const auto column = [&](int64_t tile) { return first_of(tile, p.pair_column_tiles, p.pairs); };
    const int64_t first = column(column_tile), end = column(column_tile + 1);
    return sum_tile<2>(work, part, tile_of<2>(op, row(row_tile), row(row_tile + 1), first, end));
  }
  const auto row = [&](int64_t tile) { return first_of(tile, p.last_row_tiles, p.last_row_panels); };
  const int64_t row_tile = tile - p.pair_tiles(), first = row(row_tile), end = row(row_tile + 1);
  if (p.last_vectors == 3) sum_tile<3>(work, part, tile_of<3>(op, first, end, p.pairs, p.pairs + 1));
  else sum_tile<1>(work, part, tile_of<1>(op, first, end, p.pairs, p.pairs + 1));
}

/** Numbers that a task adds up. */
constexpr int64_t numbers_in_task = 4096;

/** Adds up the parts' sums. */
void add_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const int64_t all = depth_of(*work.op) * work.op->outputs, first = index * numbers_in_task;
  const float *sums = work.sums + first;
  for_each_vector(least(numbers_in_task, all - first), [&](int64_t at, int64_t count) VISIT {
    V sum = load_some(sums + at, count);
    for (int64_t part = 1; part < work.plan->parts; part++) sum += load_some(sums + part * all + at, count);
    store_some(work.op->dfilter + first + at, sum, count);
  });
}

void filter_grad(const FilterGrad &op) {
  const Plan plan = plan_of(op);
  const Remaker<float> remaker = op.norm ? remaker_of<float>(*op.norm, op.channels) : Remaker<float>{};
  const Work work = {&op, &plan, op.norm ? &remaker : nullptr, plan.parts > 1 ? op.room : op.dfilter};
  parallel(plan.tiles() * plan.parts, sum_task, &work);
  if (op.norm) release(remaker.constants);
  if (plan.parts > 1) parallel(divide_up(depth_of(op) * op.outputs, numbers_in_task), add_task, &work);
}

int64_t filter_grad_room(const FilterGrad &op) {
  const int64_t parts = plan_of(op).parts;
  return parts > 1 ? parts * depth_of(op) * op.outputs : 0;
}

}  // namespace

extern const FilterGradKernel filter_grad_avx2 = {filter_grad, filter_grad_room};

}  // namespace deep_cnn

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
