// The loss and its gradient against torch.nn.CrossEntropyLoss, for batches of any size.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { gradients } from '#src/graph/autodiff.js';
import { Graph } from '#src/graph/graph.js';
import { placeholder } from '#src/graph/ops/source.js';
import type { Signature } from '#src/graph/saved-model.js';
import { float32, int32, openSession, outputOf } from '#src/graph/session.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { trainingLoss } from '#src/training/loss.js';
import { buildStepGraph } from '#src/training/step-graph.js';
import { assertClose } from '../graph/closeness.js';
import { classes, classWeights, figures, input, type LossFigure, twoLayers } from './torch-figures.js';

const rowsOfLogits = [
  [1.5, -0.25, 0.75, -2],
  [0.1, 2.2, -1.3, 0.4],
  [-0.6, 0.9, 3.1, -0.2],
];
const labels = [2, 1, 0];

type Kind = Pick<LossFigure, 'smoothing' | 'weighted' | 'share'> & { unfused?: boolean };
const titleOf = ({ smoothing = 0, weighted = false, share, unfused = false }: Kind) =>
  `smoothing ${smoothing}${weighted ? ', class weights' : ''}${share === undefined ? '' : ', shared labels'}${unfused ? ', unfused' : ''}`;

const graph = new Graph();
function lossSignature({ smoothing, weighted, share, unfused = false }: Kind): Signature {
  const inputs = {
    logits: placeholder(graph, 'logits', 'float32', [null, classes]),
    labels: placeholder(graph, 'labels', 'int32', [null]),
    ...(share !== undefined && { share: placeholder(graph, 'share', 'float32', []) }),
  };
  const loss = trainingLoss(inputs.logits, inputs.labels, classes, {
    ...(smoothing !== undefined && { labelSmoothing: smoothing }),
    ...(weighted && { classWeights }),
    labelShare: inputs.share,
    unfused,
  });
  const [gradient] = gradients(loss, [inputs.logits]);
  assert.ok(gradient);
  return { inputs, outputs: { loss, gradient } };
}

/** One graph for each kind: it serves all sizes. */
const kinds = new Map(figures.losses.map((figure) => [titleOf(figure), figure]));
const unfused = { unfused: true };
const signatures = [...kinds, [titleOf(unfused), unfused] as const].map(
  ([title, kind]) => [title, lossSignature(kind)] as const,
);
const session = await openSession(await openRuntime('cpu'), graph, Object.fromEntries(signatures));
after(() => session.dispose());

function lossOf(kind: Kind, rows: number, own: readonly number[] = labels): { loss: number; gradient: number[] } {
  const outputs = session.run(titleOf(kind), {
    logits: float32(rowsOfLogits.slice(0, rows).flat(), [rows, classes]),
    labels: int32(own.slice(0, rows)),
    ...(kind.share !== undefined && { share: float32(kind.share) }),
  });
  const [loss = Number.NaN] = outputOf(outputs, 'loss').data;
  return { loss, gradient: Array.from(outputOf(outputs, 'gradient').data) };
}

test('the figures are of every kind and size', () => {
  assert.equal(kinds.size, 8);
  assert.equal(figures.losses.length, 24);
});

for (const figure of figures.losses) {
  test(`${titleOf(figure)}: a batch of ${figure.rows}`, () => {
    const { loss, gradient } = lossOf(figure, figure.rows);
    assertClose([loss], [figure.loss], 1e-6);
    assertClose(gradient, figure.gradient, 1e-6);
  });
}

for (const figure of figures.losses.filter((kind) => titleOf(kind) === titleOf({}))) {
  test(`${titleOf(unfused)}: a batch of ${figure.rows}`, () => {
    const { loss, gradient } = lossOf(unfused, figure.rows);
    assertClose([loss], [figure.loss], 1e-6);
    assertClose(gradient, figure.gradient, 1e-6);
  });
}

test('what is unfused has no op that is not deterministic on GPUs', () => {
  const opsOf = (kind: { unfused?: boolean }) => {
    const { graph } = buildStepGraph({ model: twoLayers, classes, input, optimizer: { kind: 'adam' }, ...kind });
    return graph.nodes.map(({ op }) => op);
  };
  assert.ok(opsOf({}).includes('SparseSoftmaxCrossEntropyWithLogits'));
  assert.ok(!opsOf(unfused).includes('SparseSoftmaxCrossEntropyWithLogits'));
});

test('a label that keeps its whole share gives the loss of unshared labels', () => {
  for (const smoothing of [{}, { smoothing: 0.1 }]) {
    const whole = lossOf({ ...smoothing, share: 1 }, 3);
    const plain = lossOf(smoothing, 3);
    assertClose([whole.loss], [plain.loss], 2e-7);
    assertClose(whole.gradient, plain.gradient, 5e-7);
  }
});

test('with shared labels, a share of nothing is the labels in reverse order', () => {
  const none = lossOf({ smoothing: 0.1, weighted: true, share: 0 }, 3);
  const reversed = lossOf({ smoothing: 0.1, weighted: true, share: 1 }, 3, labels.toReversed());
  assertClose([none.loss], [reversed.loss], 1e-6);
  assertClose(none.gradient, reversed.gradient, 1e-6);
});
