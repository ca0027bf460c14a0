import type { Tensor } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import { depthwiseConv2d } from '#src/graph/ops/depthwise.js';
import { fusedDepthwiseConv2d } from '#src/graph/ops/fused-depthwise.js';
import { type ForwardCase, forwardCase, type GradientCase } from '../op-case.js';
import { floats } from '../samples.js';
import { around, type Geometry, windowsCases, windowsGradientCase } from './fused-windows.js';

const windows = {
  op: 'DeepCnnDepthwise',
  fused: fusedDepthwiseConv2d,
  composed: (x: Tensor, filter: Tensor, stride: number) => depthwiseConv2d(x, filter, { stride, padding: 'VALID' }),
};

function geometry(
  name: string,
  image: Geometry['image'],
  kernel: number,
  { stride = 1, padding = around(kernel) }: Partial<Geometry> = {},
): Geometry {
  return { name, image, filter: [kernel, kernel, image[3], 1], stride, padding };
}

/** Images of fewer pixels than a window. */
const few = geometry('5x5 on fewer pixels', [1, 2, 2, 16], 5);
const overlapping = geometry('3x3, vectors that overlap', [1, 3, 9, 20], 3);
const zerosAfter = geometry('3x3, stride 2, zeros after', [1, 6, 16, 16], 3, { stride: 2, padding: [0, 1, 0, 1] });

/** 16 channels are one vector, 20 two that overlap; 13 columns are whole tiles and what is left. */
const geometries: readonly Geometry[] = [
  geometry('3x3', [2, 5, 13, 16], 3),
  overlapping,
  geometry('5x5', [1, 6, 16, 16], 5),
  geometry('7x7', [1, 7, 15, 16], 7),
  geometry('3x3 without zeros', [1, 4, 11, 16], 3, { padding: [0, 0, 0, 0] }),
  geometry('3x3, stride 2', [2, 6, 18, 16], 3, { stride: 2 }),
  geometry('3x3, stride 2, odd lengths', [1, 7, 21, 16], 3, { stride: 2 }),
  zerosAfter,
  geometry('3x3, stride 2, a row and columns unused', [1, 6, 16, 16], 3, { stride: 2, padding: [0, 0, 0, 0] }),
  geometry('5x5, stride 2', [1, 8, 22, 20], 5, { stride: 2 }),
  few,
];

export const forward: ForwardCase[] = [
  forwardCase({
    op: windows.op,
    name: 'by hand',
    // Ones in channel 0, twos in channel 1 and so on; the filter adds up nine pixels.
    inputs: [floats([1, 2, 2, 16], (i) => (i % 16) + 1), floats([3, 3, 16, 1], () => 1)],
    build: ([x, w]) => fusedDepthwiseConv2d(x, w, { stride: 2, padding: [1, 1, 1, 1] }),
    // All four pixels lie under the only window.
    expected: Array.from({ length: 16 }, (_, c) => 4 * (c + 1)),
  }),
  forwardCase({
    op: windows.op,
    name: 'in bfloat16, sums in float32',
    // 256 + 1 has no place in bfloat16, but 256 + 4 has, which comes from 256 + 1 + 1 + 1 + 1.
    inputs: [floats([1, 3, 3, 16], (i) => (i < 16 ? 256 : i < 5 * 16 ? 1 : 0)), floats([3, 3, 16, 1], () => 1)],
    build: ([x, w]) => fusedDepthwiseConv2d(cast(x, 'bfloat16'), w, { stride: 1, padding: [0, 0, 0, 0] }),
    expected: Array.from({ length: 16 }, () => 260),
  }),
  ...geometries.flatMap((each) =>
    (['float32', 'bfloat16'] as const).flatMap((dtype) => windowsCases(windows, each, dtype)),
  ),
];

export const backward: GradientCase[] = [overlapping, zerosAfter, few].map((each) =>
  windowsGradientCase(windows, each),
);
