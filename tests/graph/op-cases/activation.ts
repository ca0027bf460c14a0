import { gradients } from '#src/graph/autodiff.js';
import type { Tensor } from '#src/graph/graph.js';
import { erf, exp, hardSigmoid, hardSwish, relu, relu6, sigmoid, silu } from '#src/graph/ops/activation.js';
import { cast } from '#src/graph/ops/array.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, noisy, separated } from '../samples.js';

const logistic = (x: number) => 1 / (1 + Math.exp(-x));
const points = [-4, -3, -1.5, -0.5, 0, 0.25, 1, 2.5, 3.5, 7];
/** Abramowitz and Stegun, table 7.1, and far out. */
const erfs = [
  [0, 0],
  [0.5, 0.5204998778],
  [1, 0.8427007929],
  [-1, -0.8427007929],
  [2, 0.995322265],
  [-6, -1],
] as const;
const pointwise = (op: string, name: string, build: (x: Tensor) => Tensor, expected: (x: number) => number) =>
  forwardCase({
    op,
    name,
    inputs: [floats([10], points)],
    build: ([x]) => build(x),
    expected: points.map(expected),
  });

const withUpstream = (op: string, of: (x: Tensor) => Tensor, expected: readonly number[]) =>
  forwardCase({
    op,
    inputs: [floats([4], [1, -2, 0, 7]), floats([4], [10, 20, 30, -40])],
    build: ([x, dy]) => gradients(sum(mul(of(x), dy)), [x]),
    expected,
  });

export const forward = [
  pointwise('Relu', '', relu, (x) => Math.max(x, 0)),
  withUpstream('ReluGrad', relu, [10, 0, 0, -40]),
  pointwise('Relu6', '', relu6, (x) => Math.min(Math.max(x, 0), 6)),
  withUpstream('Relu6Grad', relu6, [10, 0, 0, 0]),
  pointwise('Sigmoid', '', sigmoid, logistic),
  withUpstream(
    'SigmoidGrad',
    sigmoid,
    [1, -2, 0, 7].map((x, i) => ([10, 20, 30, -40][i] ?? 0) * logistic(x) * (1 - logistic(x))),
  ),
  pointwise('Exp', '', exp, Math.exp),
  forwardCase({
    op: 'Erf',
    inputs: [
      floats(
        [erfs.length],
        erfs.map(([x]) => x),
      ),
    ],
    build: ([x]) => erf(x),
    expected: erfs.map(([, y]) => y),
  }),
  pointwise('Sigmoid', 'in SiLU', silu, (x) => x * logistic(x)),
  pointwise('Relu6', 'in hard sigmoid', hardSigmoid, (x) => Math.min(Math.max(x + 3, 0), 6) / 6),
  pointwise('Relu6', 'in hard swish', hardSwish, (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6),
  forwardCase({
    op: 'Sigmoid',
    name: 'in bfloat16',
    inputs: [floats([3], [-1, 0, 2])],
    build: ([x]) => silu(cast(x, 'bfloat16')),
    expected: [-1, 0, 2].map((x) => x * logistic(x)),
    tolerance: 2 ** -7,
  }),
];

const smooth = { sigmoid, exp, erf, silu } as const;
const opOf = { sigmoid: 'Sigmoid', exp: 'Exp', erf: 'Erf', silu: 'Sigmoid' } as const;

export const backward = [
  ...(Object.keys(smooth) as (keyof typeof smooth)[]).map((name) =>
    gradientCase({
      op: opOf[name],
      name: `${name}, smooth`,
      inputs: [floats([4, 3], (i) => (i - 5) / 2.5, { dynamic: true })],
      build: ([x]) => smooth[name](x),
    }),
  ),
  gradientCase({
    op: 'Relu',
    inputs: [separated(6, [4, 3], { dynamic: true })],
    build: ([x]) => relu(x),
    tolerance: 1e-4,
  }),
  gradientCase({
    op: 'Relu6',
    inputs: [floats([12], (i) => i - 2.5)],
    build: ([x]) => relu6(x),
    tolerance: 1e-3,
  }),
  gradientCase({
    op: 'Relu6',
    name: 'in hard swish',
    inputs: [floats([12], (i) => 0.9 * i - 5)],
    build: ([x]) => hardSwish(x),
  }),
  gradientCase({
    op: 'Sigmoid',
    name: 'as a gate that broadcasts',
    inputs: [noisy(1, [2, 2, 2, 3], { dynamic: true }), noisy(2, [2, 1, 1, 3], { dynamic: true })],
    build: ([x, gate]) => mul(x, sigmoid(gate)),
  }),
];
