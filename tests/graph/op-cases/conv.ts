import { gradients } from '#src/graph/autodiff.js';
import { cast } from '#src/graph/ops/array.js';
import { addBias, type ConvOptions, conv2d } from '#src/graph/ops/conv.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { convolve, convolveBackward, ndarray } from '../naive.js';
import { type ForwardCase, forwardCase, type GradientCase, gradientCase } from '../op-case.js';
import { floats, noisy, type Sample } from '../samples.js';

interface Geometry extends ConvOptions {
  name: string;
  image: readonly number[];
  filter: readonly number[];
}

const plain = { stride: 1, padding: 'VALID', dilation: 1 } as const;

const geometries: readonly Geometry[] = [
  { ...plain, name: '1x1', image: [2, 3, 3, 3], filter: [1, 1, 3, 2] },
  { ...plain, name: '1x1, stride 2', stride: 2, image: [1, 4, 5, 2], filter: [1, 1, 2, 3] },
  { ...plain, name: '3x3', image: [1, 4, 5, 2], filter: [3, 3, 2, 2] },
  { ...plain, name: '3x3 SAME', padding: 'SAME', image: [2, 4, 3, 2], filter: [3, 3, 2, 2] },
  { ...plain, name: '3x3 SAME, stride 2, even', stride: 2, padding: 'SAME', image: [1, 6, 4, 1], filter: [3, 3, 1, 2] },
  { ...plain, name: '3x3 SAME, stride 2, odd', stride: 2, padding: 'SAME', image: [1, 5, 5, 1], filter: [3, 3, 1, 2] },
  { ...plain, name: '3x3, stride 2, a row unused', stride: 2, image: [1, 6, 5, 2], filter: [3, 3, 2, 1] },
  { ...plain, name: '2x3 filter', image: [1, 4, 4, 2], filter: [2, 3, 2, 2] },
  { ...plain, name: '3x3, dilation 2', dilation: 2, image: [1, 6, 6, 1], filter: [3, 3, 1, 2] },
  { ...plain, name: '3x3 SAME, dilation 2', dilation: 2, padding: 'SAME', image: [1, 5, 5, 1], filter: [3, 3, 1, 2] },
  { ...plain, name: '2 groups', image: [1, 4, 4, 4], filter: [3, 3, 2, 4] },
  { ...plain, name: '4 groups SAME, stride 2', stride: 2, padding: 'SAME', image: [2, 4, 4, 4], filter: [3, 3, 1, 8] },
  { ...plain, name: '7x7, stride 2', stride: 2, image: [1, 9, 9, 1], filter: [7, 7, 1, 1] },
];

const image = ({ image: shape }: Geometry): Sample => noisy(1, shape, { dynamic: shape[0] !== 1 });
const filter = ({ filter: shape }: Geometry): Sample => noisy(2, shape);
const asArray = ({ shape, data }: Sample) => ndarray(shape, data);

const forwardCases: ForwardCase[] = geometries.map((geometry) =>
  forwardCase({
    op: 'Conv2D',
    name: geometry.name,
    inputs: [image(geometry), filter(geometry)],
    build: ([x, w]) => conv2d(x, w, geometry),
    expected: [[...convolve(asArray(image(geometry)), asArray(filter(geometry)), geometry).values]],
  }),
);

const backpropCases: ForwardCase[] = geometries.flatMap((geometry) => {
  const [x, w] = [image(geometry), filter(geometry)];
  const dy = noisy(3, convolve(asArray(x), asArray(w), geometry).shape, { dynamic: true });
  const { dx, dfilter } = convolveBackward(asArray(x), asArray(w), asArray(dy), geometry);
  const inputs = [x, w, dy] as const;
  return [
    forwardCase({
      op: 'Conv2DBackpropInput',
      name: geometry.name,
      inputs,
      build: ([images, weights, upstream]) =>
        gradients(sum(mul(conv2d(images, weights, geometry), upstream)), [images]),
      expected: [[...dx.values]],
      tolerance: 2e-6,
    }),
    forwardCase({
      op: 'Conv2DBackpropFilter',
      name: geometry.name,
      inputs,
      build: ([images, weights, upstream]) =>
        gradients(sum(mul(conv2d(images, weights, geometry), upstream)), [weights]),
      expected: [[...dfilter.values]],
      tolerance: 2e-6,
    }),
  ];
});

export const forward: ForwardCase[] = [
  forwardCase({
    op: 'Conv2D',
    name: 'by hand',
    inputs: [floats([1, 2, 3, 1], [1, 2, 3, 4, 5, 6]), floats([2, 2, 1, 1], [1, -1, 0.5, 2])],
    build: ([x, w]) => conv2d(x, w),
    // 1 - 2 + 2 + 10, 2 - 3 + 2.5 + 12
    expected: [11, 13.5],
  }),
  ...forwardCases,
  forwardCase({
    op: 'Conv2D',
    name: 'in bfloat16',
    inputs: [noisy(1, [1, 4, 4, 2]), noisy(2, [3, 3, 2, 2])],
    build: ([x, w]) => conv2d(cast(x, 'bfloat16'), cast(w, 'bfloat16'), { padding: 'SAME' }),
    expected: [
      [
        ...convolve(asArray(noisy(1, [1, 4, 4, 2])), asArray(noisy(2, [3, 3, 2, 2])), { ...plain, padding: 'SAME' })
          .values,
      ],
    ],
    tolerance: 1e-2,
  }),
  ...backpropCases,
  forwardCase({
    op: 'BiasAdd',
    inputs: [floats([1, 1, 2, 2], [1, 2, 3, 4], { dynamic: true }), floats([2], [10, -10])],
    build: ([x, bias]) => addBias(x, bias),
    expected: [11, -8, 13, -6],
  }),
  forwardCase({
    op: 'BiasAddGrad',
    inputs: [floats([2, 2], [0, 0, 0, 0]), floats([2], [0, 0]), floats([2, 2], [1, 2, 3, 4])],
    build: ([x, bias, dy]) => gradients(sum(mul(addBias(x, bias), dy)), [bias]),
    expected: [4, 6],
  }),
];

const convolutions: GradientCase[] = geometries.map((geometry) =>
  gradientCase({
    op: 'Conv2D',
    name: geometry.name,
    inputs: [image(geometry), filter(geometry)],
    build: ([x, w]) => conv2d(x, w, geometry),
    step: 0.1,
    tolerance: 1e-4,
  }),
);

export const backward: GradientCase[] = [
  ...convolutions,
  gradientCase({
    op: 'BiasAdd',
    inputs: [noisy(4, [2, 2, 3, 2], { dynamic: true }), noisy(5, [2])],
    build: ([x, bias]) => addBias(x, bias),
    step: 0.1,
    tolerance: 1e-4,
  }),
];
