// All cases, family by family as in src/graph/ops.

import type { ForwardCase, GradientCase } from '../op-case.js';
import * as activation from './activation.js';
import * as array from './array.js';
import * as control from './control.js';
import * as conv from './conv.js';
import * as depthwise from './depthwise.js';
import * as filterGrad from './filter-grad.js';
import * as fusedAdd from './fused-add.js';
import * as fusedDepthwise from './fused-depthwise.js';
import * as fusedGrouped from './fused-grouped.js';
import * as fusedNorm from './fused-norm.js';
import * as gelu from './gelu.js';
import * as layerNorm from './layer-norm.js';
import * as loss from './loss.js';
import * as math from './math.js';
import * as norm from './norm.js';
import * as pool from './pool.js';
import * as remade from './remade.js';
import * as source from './source.js';
import * as state from './state.js';
import * as winograd from './winograd.js';

export const forwardCases: readonly ForwardCase[] = [
  source,
  math,
  activation,
  array,
  conv,
  depthwise,
  pool,
  norm,
  layerNorm,
  gelu,
  filterGrad,
  fusedAdd,
  fusedDepthwise,
  fusedGrouped,
  fusedNorm,
  winograd,
  remade,
  loss,
  state,
  control,
].flatMap(({ forward }) => forward);

export const gradientCases: readonly GradientCase[] = [
  source,
  math,
  activation,
  array,
  conv,
  depthwise,
  pool,
  norm,
  layerNorm,
  gelu,
  filterGrad,
  fusedAdd,
  fusedDepthwise,
  fusedGrouped,
  fusedNorm,
  winograd,
  loss,
].flatMap(({ backward }) => backward);
