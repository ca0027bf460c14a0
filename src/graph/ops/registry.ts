// Every op that a graph can hold. Tests walk this list: each op must compute what it says, and its gradient must agree
// with finite differences.

import { activationOps } from './activation.js';
import { arrayOps } from './array.js';
import { controlOps } from './control.js';
import { convOps } from './conv.js';
import { depthwiseOps } from './depthwise.js';
import { filterGradOps } from './filter-grad.js';
import { fusedAddOps } from './fused-add.js';
import { fusedDepthwiseOps } from './fused-depthwise.js';
import { fusedGroupedOps } from './fused-grouped.js';
import { fusedNormOps } from './fused-norm.js';
import { geluOps } from './gelu.js';
import { layerNormOps } from './layer-norm.js';
import { lossOps } from './loss.js';
import { mathOps } from './math.js';
import { normOps } from './norm.js';
import { poolOps } from './pool.js';
import { remadeOps } from './remade.js';
import { sourceOps } from './source.js';
import { stateOps } from './state.js';
import { winogradOps } from './winograd.js';

const families = [
  ...[
    sourceOps,
    mathOps,
    activationOps,
    arrayOps,
    convOps,
    depthwiseOps,
    poolOps,
    normOps,
    layerNormOps,
    geluOps,
    fusedAddOps,
    fusedDepthwiseOps,
    fusedGroupedOps,
    fusedNormOps,
    winogradOps,
    filterGradOps,
    remadeOps,
    lossOps,
    stateOps,
    controlOps,
  ],
];

/** How a gradient passes each op: by a rule, not at all because it is constant, or never because it is final. */
export const ops: ReadonlyMap<string, 'rule' | 'constant' | 'final'> = new Map(
  families.flat().map(({ op, gradient }) => {
    if (gradient === 'constant' || gradient === 'final') return [op, gradient];
    return [op, 'rule'];
  }),
);
