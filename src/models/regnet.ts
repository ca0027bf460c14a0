// RegNet: Radosavovic et al. 2020 (arXiv:2003.13678). RegNetY is RegNetX with squeeze and excitation.

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { knownDimension } from '../graph/types.js';
import {
  convNormActivation,
  convNormActivationWithMeans,
  roundChannels,
  squeezeExcitation,
} from './conv-norm-activation.js';
import type { Model, ModelFamily } from './model.js';
import { globalAveragePool, type Module, uniformByFanIn } from './module.js';

interface BlockOptions {
  channels: number;
  stride: number;
  groupWidth: number;
  squeezed: boolean;
}

function block(m: Module, x: Tensor, { channels, stride, groupWidth, squeezed }: BlockOptions): Tensor {
  const inputs = knownDimension(x.shape, 3);
  const isSame = stride === 1 && inputs === channels;
  const shortcut = isSame ? x : convNormActivation(m.child('proj'), x, { channels, kernel: 1, stride });
  const f = m.child('f');
  const y = convNormActivation(f.child('a'), x, { channels, kernel: 1, activation: relu });
  const grouped = { channels, kernel: 3, stride, groups: channels / groupWidth };
  const layer = { ...grouped, activation: relu };
  const filtered = squeezed
    ? squeezeExcitation(f.child('se'), convNormActivationWithMeans(f.child('b'), y, layer), {
        squeeze: Math.round(inputs / 4),
        bias: uniformByFanIn,
      })
    : convNormActivation(f.child('b'), y, layer);
  return convNormActivation(f.child('c'), filtered, { channels, kernel: 1, add: () => shortcut, activation: relu });
}

interface Design {
  /** Blocks in all. */
  depth: number;
  /** The first block's width, and how much each further block would be wider, were widths not quantised. */
  width: number;
  slope: number;
  /** From one stage's width to the next one's. */
  factor: number;
  groupWidth: number;
}

/** Section 3.3 of the paper: widths on a line, rounded to powers of `factor`; blocks of one width make a stage. */
function stagesOf({
  depth,
  width,
  slope,
  factor,
  groupWidth,
}: Design): { channels: number; blocks: number; groupWidth: number }[] {
  const blocksOfWidth = new Map<number, number>();
  for (let index = 0; index < depth; index++) {
    const power = Math.round(Math.log((width + slope * index) / width) / Math.log(factor));
    const quantised = roundHalfToEven((width * factor ** power) / 8) * 8;
    blocksOfWidth.set(quantised, (blocksOfWidth.get(quantised) ?? 0) + 1);
  }
  return [...blocksOfWidth].map(([channels, blocks]) => {
    const fitting = Math.min(groupWidth, channels);
    return { channels: roundChannels(channels, fitting), blocks, groupWidth: fitting };
  });
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  return value - below === 0.5 ? below + (below % 2) : Math.round(value);
}

function regnet(design: Design, squeezed: boolean): Model {
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    let x = convNormActivation(m.child('stem'), images, { channels: 32, kernel: 3, stride: 2, activation: relu });
    for (const [index, { channels, blocks, groupWidth }] of stagesOf(design).entries()) {
      const stage = `block${index + 1}`;
      for (let i = 0; i < blocks; i++) {
        const options = { channels, stride: i === 0 ? 2 : 1, groupWidth, squeezed };
        x = block(m.child('trunk_output', stage, `${stage}-${i}`), x, options);
      }
    }
    return m.linear('fc', globalAveragePool(x), classes, { initializer: { kind: 'normal', std: 0.01 } });
  };
  return { build, head: 'fc' };
}

type Figures = readonly [depth: number, width: number, slope: number, factor: number, groupWidth: number];

const designOf = ([depth, width, slope, factor, groupWidth]: Figures): Design => ({
  ...{ depth, width, slope, factor, groupWidth },
});
const x = (...figures: Figures): Model => regnet(designOf(figures), false);
const y = (...figures: Figures): Model => regnet(designOf(figures), true);

export const regnets = {
  regnet_x_400mf: x(22, 24, 24.48, 2.54, 16),
  regnet_x_800mf: x(16, 56, 35.73, 2.28, 16),
  regnet_x_1_6gf: x(18, 80, 34.01, 2.25, 24),
  regnet_x_3_2gf: x(25, 88, 26.31, 2.25, 48),
  regnet_x_8gf: x(23, 80, 49.56, 2.88, 120),
  regnet_x_16gf: x(22, 216, 55.59, 2.1, 128),
  regnet_x_32gf: x(23, 320, 69.86, 2.0, 168),
  regnet_y_400mf: y(16, 48, 27.89, 2.09, 8),
  regnet_y_800mf: y(14, 56, 38.84, 2.4, 16),
  regnet_y_1_6gf: y(27, 48, 20.71, 2.65, 24),
  regnet_y_3_2gf: y(21, 80, 42.63, 2.66, 24),
  regnet_y_8gf: y(17, 192, 76.82, 2.19, 56),
  regnet_y_16gf: y(18, 200, 106.23, 2.48, 112),
  regnet_y_32gf: y(20, 232, 115.89, 2.53, 232),
  regnet_y_128gf: y(27, 456, 160.83, 2.52, 264),
} satisfies ModelFamily;
