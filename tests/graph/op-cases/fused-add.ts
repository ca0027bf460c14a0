import { cast } from '#src/graph/ops/array.js';
import { fusedAdd } from '#src/graph/ops/fused-add.js';
import { type ForwardCase, forwardCase, type GradientCase, gradientCase } from '../op-case.js';
import { floats, noisy } from '../samples.js';

/** More numbers than one task adds, and no multiple of a vector. */
const many = [3, 4999, 3] as const;

export const forward: ForwardCase[] = [
  forwardCase({
    op: 'DeepCnnAdd',
    name: 'by hand',
    inputs: [floats([1, 1, 1, 3], [1, -2, 0.5]), floats([1, 1, 1, 3], [0.25, 2, 8])],
    build: ([a, b]) => fusedAdd(a, b),
    expected: [1.25, 0, 8.5],
  }),
  forwardCase({
    op: 'DeepCnnAdd',
    name: 'in bfloat16, rounded once',
    // 256 + 1 lies halfway between 256 and 258, and 258 + 1 between 258 and 260.
    inputs: [floats([1, 1, 1, 3], [256, 258, -256]), floats([1, 1, 1, 3], [1, 1, -1.0625])],
    build: ([a, b]) => fusedAdd(cast(a, 'bfloat16'), cast(b, 'bfloat16')),
    expected: [256, 260, -258],
    tolerance: 0,
  }),
  ...(['float32', 'bfloat16'] as const).map((dtype) =>
    forwardCase({
      op: 'DeepCnnAdd',
      name: `many numbers in ${dtype}`,
      inputs: [floats(many, (i) => i % 64, { dynamic: true }), floats(many, (i) => (i % 7) - 3, { dynamic: true })],
      build: ([a, b]) => fusedAdd(cast(a, dtype), cast(b, dtype)),
      expected: Array.from({ length: 3 * 4999 * 3 }, (_, i) => (i % 64) + (i % 7) - 3),
      tolerance: 0,
    }),
  ),
];

export const backward: GradientCase[] = [
  gradientCase({
    op: 'DeepCnnAdd',
    inputs: [noisy(1, [2, 2, 2, 3]), noisy(2, [2, 2, 2, 3])],
    build: ([a, b]) => fusedAdd(a, b),
  }),
];
