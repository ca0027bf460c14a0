// The layers against plain loops over PyTorch's definitions.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Graph, type Tensor } from '#src/graph/graph.js';
import { identity, placeholder } from '#src/graph/ops/source.js';
import type { Signature } from '#src/graph/saved-model.js';
import { float32, openSession, outputOf } from '#src/graph/session.js';
import {
  adaptiveAveragePool,
  avgPool2d,
  concatChannels,
  flatten,
  globalAveragePool,
  Module,
  maxPool2d,
  splitChannels,
} from '#src/models/module.js';
import { ParameterStore, Reads } from '#src/models/parameters.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { assertClose } from '../graph/closeness.js';
import { noise } from '../graph/samples.js';

const [images, height, width, channels] = [2, 7, 6, 4] as const;
const pixels = Float32Array.from(noise(1, images * height * width * channels));
const at = (n: number, y: number, x: number, c: number) =>
  pixels[((n * height + y) * width + x) * channels + c] ?? Number.NaN;
const isInside = (y: number, x: number) => y >= 0 && y < height && x >= 0 && x < width;

const range = (length: number) => Array.from({ length }, (_, i) => i);

/** Row-major [N, rows, columns, outputs]. */
const grid = (
  rows: number,
  columns: number,
  outputs: number,
  value: (n: number, y: number, x: number, c: number) => number,
) =>
  range(images).flatMap((n) =>
    range(rows).flatMap((y) => range(columns).flatMap((x) => range(outputs).map((c) => value(n, y, x, c)))),
  );

/** The values under a window that begins at (top, left), those outside as `outside`, or left out. */
const under = (n: number, top: number, left: number, c: number, kernel: number, outside?: number) =>
  range(kernel).flatMap((dy) =>
    range(kernel).flatMap((dx) => {
      if (isInside(top + dy, left + dx)) return [at(n, top + dy, left + dx, c)];
      return outside === undefined ? [] : [outside];
    }),
  );
const meanOf = (values: readonly number[]) => values.reduce((total, value) => total + value, 0) / values.length;

/** Filters in PyTorch's layout [out, in / groups, height, width]. */
interface Conv {
  name: string;
  outputs: number;
  kernel: readonly [number, number];
  stride: number;
  padding: readonly [number, number];
  groups: number;
  dilation: number;
}

const convs: readonly Conv[] = [
  { name: 'plain', outputs: 3, kernel: [3, 3], stride: 1, padding: [1, 1], groups: 1, dilation: 1 },
  { name: 'stride', outputs: 3, kernel: [3, 3], stride: 2, padding: [1, 1], groups: 1, dilation: 1 },
  { name: 'oblong', outputs: 2, kernel: [1, 5], stride: 1, padding: [0, 2], groups: 1, dilation: 1 },
  { name: 'groups', outputs: 6, kernel: [3, 3], stride: 2, padding: [0, 0], groups: 2, dilation: 1 },
  { name: 'depthwise', outputs: 4, kernel: [3, 3], stride: 2, padding: [1, 1], groups: 4, dilation: 1 },
  { name: 'twofold', outputs: 8, kernel: [3, 5], stride: 1, padding: [1, 2], groups: 4, dilation: 1 },
  { name: 'dilated', outputs: 4, kernel: [3, 3], stride: 1, padding: [2, 2], groups: 4, dilation: 2 },
];

const filterSize = ({ outputs, kernel, groups }: Conv) => (outputs * channels * kernel[0] * kernel[1]) / groups;
const numbers = (seed: number, length: number) => noise(seed, length).map(Math.fround);
const filterOf = (conv: Conv) => numbers(conv.name.length, filterSize(conv));
const biasOf = ({ outputs }: Conv) => numbers(99, outputs);

function convolved(conv: Conv): number[] {
  const { outputs, kernel, stride, padding, groups, dilation } = conv;
  const [filter, bias] = [filterOf(conv), biasOf(conv)];
  const sizes = [height, width].map((length, axis) => {
    const extent = ((kernel[axis] ?? 0) - 1) * dilation + 1;
    return Math.floor((length + 2 * (padding[axis] ?? 0) - extent) / stride) + 1;
  });
  const depth = channels / groups;
  return grid(sizes[0] ?? 0, sizes[1] ?? 0, outputs, (n, y, x, o) => {
    let total = bias[o] ?? 0;
    for (const d of range(depth))
      for (const ky of range(kernel[0]))
        for (const kx of range(kernel[1])) {
          const [iy, ix] = [y * stride - padding[0] + ky * dilation, x * stride - padding[1] + kx * dilation];
          const weight = filter[((o * depth + d) * kernel[0] + ky) * kernel[1] + kx] ?? Number.NaN;
          if (isInside(iy, ix)) total += weight * at(n, iy, ix, Math.floor(o / (outputs / groups)) * depth + d);
        }
    return total;
  });
}

const bins = (length: number, size: number, bin: number) =>
  range(length).filter((i) => i >= Math.floor((bin * length) / size) && i < Math.ceil(((bin + 1) * length) / size));

const pools: Record<string, { build: (x: Tensor) => Tensor; expected: number[] }> = {
  'max, padded': {
    build: (x) => maxPool2d(x, { kernel: 3, stride: 2, padding: 1 }),
    expected: grid(4, 3, channels, (n, y, x, c) => Math.max(...under(n, 2 * y - 1, 2 * x - 1, c, 3))),
  },
  'max, ceil mode': {
    build: (x) => maxPool2d(x, { kernel: 3, stride: 2, ceilMode: true }),
    expected: grid(3, 3, channels, (n, y, x, c) => Math.max(...under(n, 2 * y, 2 * x, c, 3))),
  },
  'average, zeros counted': {
    build: (x) => avgPool2d(x, { kernel: 3, stride: 1, padding: 1 }),
    expected: grid(7, 6, channels, (n, y, x, c) => meanOf(under(n, y - 1, x - 1, c, 3, 0))),
  },
  'average, only the image counted': {
    build: (x) => avgPool2d(x, { kernel: 3, stride: 1, padding: 1, countIncludePad: false }),
    expected: grid(7, 6, channels, (n, y, x, c) => meanOf(under(n, y - 1, x - 1, c, 3))),
  },
  'average, stride 2, only the image counted': {
    build: (x) => avgPool2d(x, { kernel: 3, stride: 2, padding: 1, countIncludePad: false }),
    expected: grid(4, 3, channels, (n, y, x, c) => meanOf(under(n, 2 * y - 1, 2 * x - 1, c, 3))),
  },
  'adaptive, overlapping bins': {
    build: (x) => adaptiveAveragePool(x, 4),
    expected: grid(4, 4, channels, (n, y, x, c) =>
      meanOf(bins(height, 4, y).flatMap((iy) => bins(width, 4, x).map((ix) => at(n, iy, ix, c)))),
    ),
  },
  'adaptive, more bins than pixels': {
    build: (x) => adaptiveAveragePool(x, 9),
    expected: grid(9, 9, channels, (n, y, x, c) =>
      meanOf(bins(height, 9, y).flatMap((iy) => bins(width, 9, x).map((ix) => at(n, iy, ix, c)))),
    ),
  },
  global: {
    build: (x) => globalAveragePool(x),
    expected: grid(1, 1, channels, (n, _, __, c) =>
      meanOf(range(height).flatMap((y) => range(width).map((x) => at(n, y, x, c)))),
    ),
  },
  'flat, channels first': {
    build: flatten,
    expected: range(images).flatMap((n) =>
      range(channels).flatMap((c) => range(height).flatMap((y) => range(width).map((x) => at(n, y, x, c)))),
    ),
  },
  'channels split and joined the other way round': {
    build: (x) => concatChannels([...splitChannels(x, 2)].reverse()),
    expected: grid(height, width, channels, (n, y, x, c) => at(n, y, x, (c + 2) % 4)),
  },
};

const graph = new Graph();
const x = placeholder(graph, 'images', 'float32', [null, height, width, channels]);
const parameters = new ParameterStore(graph);
const m = new Module({ parameters, training: true, reads: new Reads(), statistics: [] });

const layerOutputs = convs.map(({ name, outputs, ...conv }) => [
  name,
  m.conv(name, x, { ...conv, channels: outputs, bias: true }),
]);
const rows = m.linear('rows', x, 5);
const parts = m.parameter('scale', [3, 1, 1], { kind: 'constant', value: 2 });
const feeds = parameters.all.map((parameter) => ({
  parameter,
  value: placeholder(graph, parameter.name, 'float32', parameter.spec.shape),
}));
const assigned = feeds.map(({ parameter, value }) => parameter.storage.variable.assign(parameter.enterGraph(value)));
const signatures: Record<string, Signature> = {
  init: {
    inputs: Object.fromEntries(feeds.map(({ parameter, value }) => [parameter.name, value])),
    outputs: { done: graph.after(assigned, () => identity(placeholderFree())) },
  },
  convs: { inputs: { x }, outputs: Object.fromEntries([...layerOutputs, ['rows', rows], ['parts', identity(parts)]]) },
  weights: {
    inputs: {},
    outputs: Object.fromEntries(
      parameters.all.map((parameter) => [
        parameter.name,
        identity(parameter.leaveGraph(parameter.storage.variable.read())),
      ]),
    ),
  },
  pools: {
    inputs: { x },
    outputs: Object.fromEntries(Object.entries(pools).map(([name, { build }]) => [name, build(x)])),
  },
};

function placeholderFree(): Tensor {
  const [first] = parameters.all;
  assert.ok(first);
  return first.storage.variable.read();
}

const session = await openSession(await openRuntime('cpu'), graph, signatures);
after(() => session.dispose());

const weights = new Map<string, number[]>([
  ...convs.flatMap((conv): [string, number[]][] => [
    [`${conv.name}.weight`, filterOf(conv)],
    [`${conv.name}.bias`, biasOf(conv)],
  ]),
  ['rows.weight', numbers(7, 5 * channels)],
  ['rows.bias', numbers(8, 5)],
  ['scale', [1, 2, 3]],
]);
session.run(
  'init',
  Object.fromEntries(parameters.all.map(({ name, spec }) => [name, float32(weights.get(name) ?? [], spec.shape)])),
);
const input = { x: float32(pixels, [images, height, width, channels]) };
const made = session.run('convs', input);

for (const conv of convs) {
  test(`convolution: ${conv.name}`, () => {
    assertClose(outputOf(made, conv.name).data, convolved(conv), 1e-6);
  });
}

test('a linear layer works on the last axis', () => {
  const [weight = [], bias = []] = [weights.get('rows.weight'), weights.get('rows.bias')];
  const expected = grid(height, width, 5, (n, y, px, o) =>
    range(channels).reduce((total, c) => total + (weight[o * channels + c] ?? 0) * at(n, y, px, c), bias[o] ?? 0),
  );
  assert.deepEqual(outputOf(made, 'rows').shape, [images, height, width, 5]);
  assertClose(outputOf(made, 'rows').data, expected, 1e-6);
});

test('a module’s own parameter keeps its shape', () => {
  assert.deepEqual(outputOf(made, 'parts').shape, [3, 1, 1]);
  assert.deepEqual([...outputOf(made, 'parts').data], [1, 2, 3]);
});

test('weights leave the graph as they entered it', () => {
  const found = session.run('weights');
  for (const [name, values] of weights) assertClose(outputOf(found, name).data, values, 0);
  assert.deepEqual(outputOf(found, 'twofold.weight').shape, [8, 1, 3, 5]);
});

const pooled = session.run('pools', input);
for (const [name, { expected }] of Object.entries(pools)) {
  test(`pool: ${name}`, () => assertClose(outputOf(pooled, name).data, expected, 1e-6));
}

test('an image of the right size is not pooled again', () => {
  const square = placeholder(graph, 'square', 'float32', [null, 3, 3, 1]);
  assert.equal(adaptiveAveragePool(square, 3), square);
});
