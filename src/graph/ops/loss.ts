// Classification: cross-entropy and whether the label is among the highest scores.

import type { Tensor } from '../graph.js';
import { apply, type NoOptions, type OpDefinition, type OpFamily, present, typeOf } from '../op.js';
import { dimension } from '../types.js';
import { exp } from './activation.js';
import { reshape } from './array.js';
import { mul, sub, sum } from './math.js';
import { floatConstant, intConstant } from './source.js';

// loss = -log softmax(x)[label]; d loss = softmax(x) - onehot(label), which the op hands out beside the loss.
const crossEntropyOp: OpDefinition<NoOptions> = {
  op: 'SparseSoftmaxCrossEntropyWithLogits',
  outputs: ([logits, labels]) => {
    if (logits?.shape.length !== 2 || labels?.shape.length !== 1) {
      throw new Error(`internal: cross-entropy needs logits and labels: ${logits}, ${labels}`);
    }
    return [{ dtype: logits.dtype, shape: [dimension(logits.shape, 0)] }, logits];
  },
  attributes: ([logits, labels]) =>
    logits && labels ? { T: { dtype: logits.dtype }, Tlabels: { dtype: labels.dtype } } : {},
  gradient: ({ outputs: [, dlogits] }, dy) => (dlogits ? [mul(reshape(present(dy), [null, 1]), dlogits)] : []),
};

const inTopKOp: OpDefinition<NoOptions> = {
  op: 'InTopKV2',
  outputs: ([, labels]) => (labels ? [{ dtype: 'bool', shape: labels.shape }] : []),
  attributes: ([, labels]) => (labels ? { T: { dtype: labels.dtype } } : {}),
  gradient: 'constant',
};

// y = x - log Σ exp(x): dx = dy - softmax(x) Σ dy, along the last axis
const logSoftmaxOp: OpDefinition<NoOptions> = {
  op: 'LogSoftmax',
  outputs: ([logits]) => (logits ? [logits] : []),
  attributes: typeOf,
  gradient: ({ outputs: [y] }, upstream) => {
    if (!y) return [];
    const dy = present(upstream);
    return [sub(dy, mul(exp(y), sum(dy, [y.shape.length - 1], true)))];
  },
};

const oneHotOp: OpDefinition<{ classes: number }> = {
  op: 'OneHot',
  outputs: ([labels], { classes }) => (labels ? [{ dtype: 'float32', shape: [...labels.shape, classes] }] : []),
  attributes: ([labels]) => (labels ? { T: { dtype: 'float32' }, TI: { dtype: labels.dtype }, axis: { int: -1 } } : {}),
  gradient: 'constant',
};

export const lossOps: OpFamily = [crossEntropyOp, inTopKOp, logSoftmaxOp, oneHotOp];

/** The logarithm of the probabilities of each row: [N, classes]. */
export function logSoftmax(logits: Tensor): Tensor {
  return apply(logSoftmaxOp, [logits], {});
}

/** 1 at each label and 0 elsewhere: int32 [N] -> float32 [N, classes]. */
export function oneHot(labels: Tensor, classes: number): Tensor {
  const { graph } = labels;
  const inputs = [labels, intConstant(graph, classes), floatConstant(graph, 1), floatConstant(graph, 0)];
  return apply(oneHotOp, inputs, { classes });
}

/** The cross-entropy of each row: logits [N, classes] float32, labels [N] int32 -> [N]. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return apply(crossEntropyOp, [logits, labels], {});
}

/** Whether each label is among its row's k highest scores: [N, classes], [N] -> bool [N]. */
export function inTopK(scores: Tensor, labels: Tensor, k: number): Tensor {
  return apply(inTopKOp, [scores, labels, intConstant(labels.graph, k)], {});
}
