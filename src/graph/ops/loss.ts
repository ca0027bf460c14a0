// Classification: cross-entropy and whether the label is among the highest scores.

import type { Tensor } from '../graph.js';
import { apply, type OpDefinition, type OpFamily, present } from '../op.js';
import { dimension } from '../types.js';
import { reshape } from './array.js';
import { mul } from './math.js';
import { intConstant } from './source.js';

type NoOptions = Record<never, never>;

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

export const lossOps: OpFamily = [crossEntropyOp, inTopKOp];

/** The cross-entropy of each row: logits [N, classes] float32, labels [N] int32 -> [N]. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return apply(crossEntropyOp, [logits, labels], {});
}

/** Whether each label is among its row's k highest scores: [N, classes], [N] -> bool [N]. */
export function inTopK(scores: Tensor, labels: Tensor, k: number): Tensor {
  return apply(inTopKOp, [scores, labels, intConstant(labels.graph, k)], {});
}
