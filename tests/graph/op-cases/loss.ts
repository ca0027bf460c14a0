import { cast } from '#src/graph/ops/array.js';
import { crossEntropy, inTopK, logSoftmax, oneHot } from '#src/graph/ops/loss.js';
import { crossEntropy as naiveCrossEntropy, ndarray } from '../naive.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, ints, noisy } from '../samples.js';

const logits = noisy(1, [3, 4], { dynamic: true });
const labels = ints([3], [2, 0, 3], { dynamic: true });

export const forward = [
  forwardCase({
    op: 'SparseSoftmaxCrossEntropyWithLogits',
    name: 'by hand',
    inputs: [floats([3, 2], [0, 0, Math.log(3), 0, 1000, 0]), ints([3], [0, 1, 0])],
    build: ([scores, classes]) => crossEntropy(scores, classes),
    // 1/2, 1/4, 1
    expected: [Math.log(2), Math.log(4), 0],
  }),
  forwardCase({
    op: 'SparseSoftmaxCrossEntropyWithLogits',
    inputs: [logits, labels],
    build: ([scores, classes]) => crossEntropy(scores, classes),
    expected: [[...naiveCrossEntropy(ndarray(logits.shape, logits.data), labels.data).losses]],
  }),
  forwardCase({
    op: 'LogSoftmax',
    inputs: [floats([2, 2], [0, 0, Math.log(3), 0], { dynamic: true })],
    build: ([scores]) => logSoftmax(scores),
    // 1/2, 1/2; 3/4, 1/4
    expected: [-Math.log(2), -Math.log(2), Math.log(0.75), Math.log(0.25)],
  }),
  forwardCase({
    op: 'OneHot',
    inputs: [ints([2], [2, 0], { dynamic: true })],
    build: ([classes]) => oneHot(classes, 3),
    expected: [0, 0, 1, 1, 0, 0],
  }),
  forwardCase({
    op: 'InTopKV2',
    inputs: [
      floats([3, 4], [4, 3, 2, 1, 1, 2, 3, 4, 1, 4, 3, 2], { dynamic: true }),
      ints([3], [0, 1, 2], { dynamic: true }),
    ],
    build: ([scores, classes]) => [1, 2, 3, 4].map((k) => cast(inTopK(scores, classes, k), 'int32')),
    // the labels rank first, third and second
    expected: [
      [1, 0, 0],
      [1, 0, 1],
      [1, 1, 1],
      [1, 1, 1],
    ],
  }),
];

export const backward = [
  gradientCase({
    op: 'SparseSoftmaxCrossEntropyWithLogits',
    inputs: [logits, labels],
    build: ([scores, classes]) => crossEntropy(scores, classes),
  }),
  gradientCase({ op: 'LogSoftmax', inputs: [logits], build: ([scores]) => logSoftmax(scores) }),
];
