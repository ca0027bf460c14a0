import type { Tensor } from '#src/graph/graph.js';
import { conv2d } from '#src/graph/ops/conv.js';
import { fusedGroupedConv2d } from '#src/graph/ops/fused-grouped.js';
import { type ForwardCase, forwardCase, type GradientCase } from '../op-case.js';
import { floats } from '../samples.js';
import { around, type Geometry, windowsCases, windowsGradientCase } from './fused-windows.js';

const windows = {
  op: 'DeepCnnGrouped',
  fused: fusedGroupedConv2d,
  composed: (x: Tensor, filter: Tensor, stride: number) => conv2d(x, filter, { stride, padding: 'VALID' }),
};

/** `group`: channels of each group. */
function geometry(
  name: string,
  image: Geometry['image'],
  group: number,
  { stride = 1, padding = around(3) }: Partial<Geometry> = {},
): Geometry {
  return { name, image, filter: [3, 3, group, image[3]], stride, padding };
}

const halves = geometry('two groups to a vector', [1, 3, 4, 8], 4);
const zerosAfter = geometry('stride 2, zeros after', [1, 6, 4, 16], 8, { stride: 2, padding: [0, 1, 0, 1] });
const few = geometry('fewer pixels than a window', [1, 1, 2, 16], 16);

/** Groups of one to five vectors; rows of several shares; sets of groups, strips of rows and parts of images. */
const geometries: readonly Geometry[] = [
  halves,
  geometry('two groups to a vector, several rows and images', [2, 9, 25, 24], 4),
  geometry('two groups to a vector, stride 2', [2, 9, 24, 24], 4, { stride: 2 }),
  ...[8, 16, 24, 32, 40, 56].flatMap((group) => [
    geometry(`groups of ${group} channels`, [2, 8, 27, 2 * group], group),
    geometry(`groups of ${group} channels, stride 2`, [2, 7, 26, 2 * group], group, { stride: 2 }),
  ]),
  geometry('one group', [1, 5, 6, 16], 16),
  geometry('without zeros', [1, 6, 11, 16], 8, { padding: [0, 0, 0, 0] }),
  geometry('stride 2, a row and a column unused', [1, 6, 12, 16], 8, { stride: 2, padding: [0, 0, 0, 0] }),
  geometry('two zeros before', [2, 5, 6, 16], 8, { padding: [2, 0, 2, 0] }),
  geometry('two zeros after, stride 2', [2, 5, 6, 16], 8, { stride: 2, padding: [0, 2, 0, 2] }),
  zerosAfter,
  few,
  geometry('more groups than a task has', [2, 5, 7, 168], 8),
  geometry('more rows than a strip has', [1, 20, 60, 64], 8),
  geometry('more rows than a strip has, stride 2', [1, 41, 60, 64], 16, { stride: 2 }),
  geometry('more strips than tasks', [40, 3, 4, 32], 16),
];

export const forward: ForwardCase[] = [
  forwardCase({
    op: windows.op,
    name: 'by hand',
    // Ones in channel 0, twos in channel 1 and so on; each filter adds up nine pixels of its group's channels.
    inputs: [floats([1, 2, 2, 16], (i) => (i % 16) + 1), floats([3, 3, 8, 16], () => 1)],
    build: ([x, w]) => fusedGroupedConv2d(x, w, { stride: 2, padding: [1, 1, 1, 1] }),
    // All four pixels lie under the only window.
    expected: Array.from({ length: 16 }, (_, c) => 4 * (c < 8 ? 36 : 100)),
  }),
  ...geometries.flatMap((each) => windowsCases(windows, each, 'float32')),
];

export const backward: GradientCase[] = [halves, zerosAfter, few].map((each) => windowsGradientCase(windows, each));
