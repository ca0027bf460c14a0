// Grouped convolution by 3 x 3 pixels in float32, forward and backward, for x86 processors with AVX2.
//
// A group's channels are too few to be a product of matrices of their own; what costs time elsewhere is to lay them out, and
// zeros at edges. Here a task has some groups of some images, and copies a strip of rows of them at a time, group by group,
// into the second cache: with zeros at the sides, and as the batch norm before made it, where only that norm's input is
// kept. Results are then summed in registers (kernels_grouped_rows.h).
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>  // before functions are told of a processor
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VECTOR_BYTES 32
#include "kernels_grouped_rows.h"

namespace deep_cnn {
namespace {

/**
 * Lays the filter out for the blocks of a set, [block][vectors][place][channel read][channel]: `turned`, for the gradient at
 * x, with its places from the last to the first.
 */
void lay_filter(const Grouped &op, const Plan &plan, const Range &blocks, bool turned, float *to) {
  const int64_t C = op.channels;
  for (int64_t block = blocks.first; block < blocks.end; block++) {
    for (int64_t c = 0; c < plan.width;) {
      const int64_t width = vectors_from(c, plan.width) * lanes, first = block * plan.width + c;
      for (int64_t place = 0; place < window; place++) {
        const float *from = op.filter + (turned ? window - 1 - place : place) * op.group * C;
        for (int64_t read = 0; read < op.group; read++, to += width) {
          if (!turned) {
            memcpy(to, from + read * C + first, width * sizeof(float));
            continue;
          }
          for (int64_t i = 0; i < width; i++) {
            const int64_t channel = first + i, within = channel % op.group;
            to[i] = from[within * C + channel - within + read];
          }
        }
      }
      c += width;
    }
  }
}

int64_t filter_numbers(const Grouped &op, const Plan &plan) {
  return plan.blocks_at_once() * window * op.group * plan.width;
}

void convolve_strip(const Grouped &op, const Plan &plan, const Range &blocks, const Strip &strip, const Copy &x,
                    const float *filter, float *y, Ahead &ahead) {
  for (int64_t block = 0; block < blocks.count(); block++, filter += window * op.group * plan.width) {
    const int64_t channel = (blocks.first + block) * plan.width;
    for (int64_t row = strip.y.first; row < strip.y.end; row++) {
      Windows windows = {{}, 0, side, 1, op.stride, op.group, plan.width, filter, op.channels, &ahead};
      for (int64_t i = 0; i < side; i++) {
        const int64_t from = row * op.stride - op.top + i;
        if (from >= 0 && from < op.height) windows.lines[windows.count++] = {x.pixel(block, from, -op.left), i * side};
      }
      convolve_block(windows, op.out_width, y + row * op.out_width * op.channels + channel);
    }
  }
}

/** The gradient at x: dy convolved with the filter turned round; of stride 2, for each second column apart. */
void convolve_back(const Grouped &op, const Plan &plan, const Range &blocks, const Strip &strip, const Copy &dy,
                   const float *filter, float *dx, Ahead &ahead) {
  const int64_t stride = op.stride;
  for (int64_t block = 0; block < blocks.count(); block++, filter += window * op.group * plan.width) {
    const int64_t channel = (blocks.first + block) * plan.width;
    for (int64_t row = strip.dx.first; row < strip.dx.end; row++) {
      for (int64_t column = 0; column < least(stride, op.width); column++) {
        // A window's columns that reach this one: the last of them reads the first column of dy.
        const int64_t last = side - 1 - (side - 1 - column - op.left + side * stride) % stride;
        const int64_t taps = last / stride + 1, place = side - 1 - last;
        Windows windows = {{}, 0, taps, stride, 1, op.group, plan.width, filter, stride * op.channels, &ahead};
        for (int64_t i = side - 1; i >= 0; i--) {
          const int64_t from = row + op.top - i;
          if (from < 0 || from % stride != 0 || from / stride >= op.out_height) continue;
          const float *at = dy.pixel(block, from / stride, (column + op.left - last) / stride);
          windows.lines[windows.count++] = {at, (side - 1 - i) * side + place};
        }
        convolve_block(windows, divide_up(op.width - column, stride),
                       dx + (row * op.width + column) * op.channels + channel);
      }
    }
  }
}

/** Adds the products of number J of a pixel's halves in each column of a window and the gradient. */
template <int J>
ALWAYS_INLINE void add_halves(V (&sum)[sums_at_once][1], const float *x, V dy) {
#pragma GCC unroll 3
  for (int j = 0; j < side; j++) sum[j * half + J][0] += spread<J>(load(x + j * lanes)) * dy;
}

/** What the sums of a filter's gradient are made of: `rows` x `columns` results, and what a row of their windows reads. */
struct Products {
  const float *x, *dy;
  int64_t rows, columns;
  int64_t x_line, x_pitch, dy_line, dy_pitch;
  int64_t y_pitch;  // from one of a window's numbers to the next, in the filter
  bool add;
  Ahead *ahead;
};

/** Of numbers of a window's row from x on, with so many vectors of dy; put at `to`, or added there. */
template <int Vectors, bool Halves>
__attribute__((noinline)) void sum_products(const Products &products, const float *x, const float *dy, float *to) {
  constexpr int rows = sums_at_once / Vectors;
  V sum[rows][Vectors] = {};
  for (int64_t row = 0; row < products.rows; row++, x += products.x_line, dy += products.dy_line) {
    const float *at = x, *gradient = dy;
    for (int64_t column = 0; column < products.columns; column++, at += products.x_pitch, gradient += products.dy_pitch) {
      V b[Vectors];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; v++) b[v] = load(gradient + v * lanes);
      if constexpr (Halves) {
        add_halves<0>(sum, at, b[0]);
        add_halves<1>(sum, at, b[0]);
        add_halves<2>(sum, at, b[0]);
        add_halves<3>(sum, at, b[0]);
      } else {
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
          const float each = at[r];
#pragma GCC unroll 4
          for (int v = 0; v < Vectors; v++) sum[r][v] += each * b[v];
        }
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) {
      float *each = to + r * products.y_pitch + v * lanes;
      store(each, products.add ? load(each) + sum[r][v] : sum[r][v]);
    }
  }
}

/** All numbers of a row of a window, of a block's channels. */
void sum_block(const Products &products, const Plan &plan, int64_t depth, float *to) {
  if (depth == half) {
    products.ahead->ask();
    return sum_products<1, true>(products, products.x, products.dy, to);
  }
  for (int64_t c = 0; c < plan.width;) {
    const int64_t vectors = vectors_from(c, plan.width), rows = sums_at_once / vectors;
    for (int64_t d = 0; d < side * depth; d += rows) {
      const float *x = products.x + d, *dy = products.dy + c;
      float *each = to + d * products.y_pitch + c;
      products.ahead->ask();
      if (vectors == 1) sum_products<1, false>(products, x, dy, each);
      else if (vectors == 2) sum_products<2, false>(products, x, dy, each);
      else sum_products<3, false>(products, x, dy, each);
    }
    c += vectors * lanes;
  }
}

/** The filter's gradient by a strip. */
void sum_strip(const Grouped &op, const Plan &plan, const Range &blocks, const Strip &strip, const Copy &x, const Copy &dy,
               float *sums, bool add, Ahead &ahead) {
  const int64_t C = op.channels;
  for (int64_t block = 0; block < blocks.count(); block++) {
    const int64_t channel = (blocks.first + block) * plan.width;
    for (int64_t i = 0; i < side; i++) {
      // The results that read a row of the image there.
      const int64_t first = most(strip.y.first, divide_up(most(0, op.top - i), op.stride));
      const int64_t end = least(strip.y.end, floor_divide(op.height - 1 + op.top - i, op.stride) + 1);
      Products products = {};
      products.rows = most(0, end - first), products.columns = op.out_width;
      if (products.rows > 0) {
        products.x = x.pixel(block, first * op.stride - op.top + i, -op.left), products.dy = dy.pixel(block, first, 0);
      }
      products.x_line = op.stride * x.line(), products.x_pitch = op.stride * x.width;
      products.dy_line = dy.line(), products.dy_pitch = dy.width;
      products.y_pitch = C, products.add = add, products.ahead = &ahead;
      sum_block(products, plan, op.group, sums + i * side * op.group * C + channel);
    }
  }
}

struct Work {
  const Grouped *op;
  const Plan *plan;
  const Remaker<float> *remaker;  // of what lies at x, or null
  float *sums;                    // [parts][3, 3, group, C]
};

/** A task's part: a set of channels of some images' strips. */
struct Task {
  int64_t part;
  Range blocks, strips;

  Task(const Grouped &op, const Plan &plan, int64_t index) : part(index / plan.sets), blocks(plan.blocks_of(index % plan.sets)) {
    const int64_t all = op.images * plan.strips;
    strips = {all * part / plan.parts, all * (part + 1) / plan.parts};
  }

  Image image(const Plan &plan, const void *images, int64_t index, int64_t height, int64_t width, int64_t channels) const {
    const float *at = (const float *)images + index / plan.strips * height * width * channels;
    return {at, width, channels, {blocks.first * plan.width, blocks.end * plan.width}};
  }
};

/** The most rows that any strip has of what `rows` names. */
int64_t most_rows(const Grouped &op, const Plan &plan, Range Strip::*rows) {
  int64_t count = 0;
  for (int64_t index = 0; index < plan.strips; index++) count = most(count, (strip_of(op, plan.strips, index).*rows).count());
  return count;
}

void forward_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const Grouped &op = *work.op;
  const Plan &plan = *work.plan;
  const Task task(op, plan, index);
  Copy x = {nullptr, {}, columns_of_x(op), most_rows(op, plan, &Strip::x), plan.width};
  const int64_t numbers = plan.blocks_at_once() * x.block();
  x.at = (float *)room_of_thread((numbers + filter_numbers(op, plan)) * sizeof(float));
  float *filter = x.at + numbers;
  lay_filter(op, plan, task.blocks, false, filter);
  const auto x_of = [&](int64_t strip) { return task.image(plan, op.x, strip, op.height, op.width, op.channels); };
  const auto y_of = [&](int64_t strip) { return task.image(plan, op.y, strip, op.out_height, op.out_width, op.channels); };
  for (int64_t at = task.strips.first; at < task.strips.end; at++) {
    const Strip strip = strip_of(op, plan.strips, at % plan.strips);
    x.rows = strip.x;
    copy(x_of(at), nullptr, nullptr, x);
    Ahead ahead;
    if (at + 1 < task.strips.end) {
      const Strip next = strip_of(op, plan.strips, (at + 1) % plan.strips);
      ahead.add(x_of(at + 1), next.x);
      ahead.add(y_of(at + 1), next.y);
      ahead.share(task.blocks.count() * strip.y.count() * shares_of(plan, op.out_width));
    }
    convolve_strip(op, plan, task.blocks, strip, x, filter,
                   (float *)op.y + at / plan.strips * op.out_height * op.out_width * op.channels, ahead);
  }
}

void gradient_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const Grouped &op = *work.op;
  const Plan &plan = *work.plan;
  const Task task(op, plan, index);
  Copy x = {nullptr, {}, columns_of_x(op), most_rows(op, plan, &Strip::x), plan.width};
  Copy dy = {nullptr, {}, columns_of_dy(op), most_rows(op, plan, &Strip::dy), plan.width};
  const int64_t x_numbers = plan.blocks_at_once() * x.block(), dy_numbers = plan.blocks_at_once() * dy.block();
  const int64_t numbers = x_numbers + dy_numbers + filter_numbers(op, plan) + op.channels + lanes;
  x.at = (float *)room_of_thread(numbers * sizeof(float));
  dy.at = x.at + x_numbers;
  float *filter = dy.at + dy_numbers, *made = filter + filter_numbers(op, plan);
  lay_filter(op, plan, task.blocks, true, filter);
  float *sums = work.sums + task.part * window * op.group * op.channels;
  const auto x_of = [&](int64_t strip) { return task.image(plan, op.x, strip, op.height, op.width, op.channels); };
  const auto dx_of = [&](int64_t strip) { return task.image(plan, op.dx, strip, op.height, op.width, op.channels); };
  const auto dy_of = [&](int64_t strip) { return task.image(plan, op.dy, strip, op.out_height, op.out_width, op.channels); };
  for (int64_t at = task.strips.first; at < task.strips.end; at++) {
    const Strip strip = strip_of(op, plan.strips, at % plan.strips);
    x.rows = strip.x, dy.rows = strip.dy;
    copy(x_of(at), work.remaker, made, x);
    copy(dy_of(at), nullptr, nullptr, dy);
    Ahead ahead;
    if (at + 1 < task.strips.end) {
      const Strip next = strip_of(op, plan.strips, (at + 1) % plan.strips);
      ahead.add(x_of(at + 1), next.x);
      ahead.add(dy_of(at + 1), next.dy);
      ahead.add(dx_of(at + 1), next.dx);
      ahead.share(task.blocks.count() * (strip.dx.count() * shares_of(plan, op.width) + side * 4));
    }
    sum_strip(op, plan, task.blocks, strip, x, dy, sums, at > task.strips.first, ahead);
    convolve_back(op, plan, task.blocks, strip, dy, filter,
                  (float *)op.dx + at / plan.strips * op.height * op.width * op.channels, ahead);
  }
}

/** Numbers that a task adds up. */
constexpr int64_t numbers_in_task = 4096;

int64_t all_numbers(const Grouped &op) { return window * op.group * op.channels; }

/** Adds up the parts' sums. */
void add_task(const void *given, int64_t index) {
  const Work &work = *(const Work *)given;
  const int64_t all = all_numbers(*work.op), first = index * numbers_in_task;
  const float *sums = work.sums + first;
  for_each_vector(least(numbers_in_task, all - first), [&](int64_t at, int64_t count) VISIT {
    V sum = load_some(sums + at, count);
    for (int64_t part = 1; part < work.plan->parts; part++) sum += load_some(sums + part * all + at, count);
    store_some(work.op->dfilter + first + at, sum, count);
  });
}

void compute(const Grouped &op) {
  const Plan plan = plan_of(op);
  const Work work = {&op, &plan, nullptr, nullptr};
  parallel(plan.sets * plan.parts, forward_task, &work);
}

void gradients(const Grouped &op) {
  const Plan plan = plan_of(op);
  const Remaker<float> remaker = op.norm ? remaker_of<float>(*op.norm, op.channels) : Remaker<float>{};
  const Work work = {&op, &plan, op.norm ? &remaker : nullptr, plan.parts > 1 ? op.room : op.dfilter};
  parallel(plan.sets * plan.parts, gradient_task, &work);
  if (op.norm) release(remaker.constants);
  if (plan.parts > 1) parallel(divide_up(all_numbers(op), numbers_in_task), add_task, &work);
}

int64_t room(const Grouped &op) {
  const int64_t parts = plan_of(op).parts;
  return parts > 1 ? parts * all_numbers(op) : 0;
}

}  // namespace

extern const GroupedKernel grouped_avx2 = {compute, gradients, room};

}  // namespace deep_cnn

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
