// The walk back through a graph: what it adds up, where it stops, and what it refuses.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { gradients } from '#src/graph/autodiff.js';
import { Graph, type Node, type Tensor } from '#src/graph/graph.js';
import { relu } from '#src/graph/ops/activation.js';
import { cast, size } from '#src/graph/ops/array.js';
import { add, mul, sub, sum } from '#src/graph/ops/math.js';
import { floatConstant, placeholder } from '#src/graph/ops/source.js';
import type { Signature } from '#src/graph/saved-model.js';
import { float32, openSession, outputOf } from '#src/graph/session.js';
import type { Shape } from '#src/graph/types.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { buildStepGraph } from '#src/training/step-graph.js';

const runtime = await openRuntime('cpu');

/** The gradients at `values` of the scalar that `build` makes of them. */
async function gradientsAt(
  values: readonly (readonly number[])[],
  build: (inputs: readonly Tensor[]) => Tensor,
): Promise<number[][]> {
  const graph = new Graph();
  const inputs = values.map((value, i) => placeholder(graph, `x${i}`, 'float32', [value.length]));
  const found = gradients(build(inputs), inputs);
  const named = (tensors: readonly Tensor[]) => Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));
  const signatures: Record<'run', Signature> = { run: { inputs: named(inputs), outputs: named(found) } };
  const session = await openSession(runtime, graph, signatures);
  after(() => session.dispose());
  const outputs = session.run('run', Object.fromEntries(values.map((value, i) => [`x${i}`, float32(value)])));
  return values.map((_, i) => [...outputOf(outputs, `x${i}`).data]);
}

function at(tensors: readonly Tensor[], index: number): Tensor {
  const tensor = tensors[index];
  assert.ok(tensor);
  return tensor;
}

test('adds up what comes back from several uses', async () => {
  const found = await gradientsAt([[1, -2, 3]], (inputs) => {
    const x = at(inputs, 0);
    const y = mul(x, x);
    // x² + x² x + 3 x
    return sum(add(add(y, mul(y, x)), mul(x, floatConstant(x.graph, 3))));
  });
  assert.deepEqual(found, [[1, -2, 3].map((x) => 2 * x + 3 * x * x + 3)]);
});

test('sums over the axes along which an input was repeated', async () => {
  const found = await gradientsAt([[1, 2, 3], [10]], (inputs) => {
    return sum(mul(at(inputs, 0), at(inputs, 1)));
  });
  assert.deepEqual(found, [[10, 10, 10], [6]]);
});

test('gives each target its own gradient, the targets within the graph too', async () => {
  const graph = new Graph();
  const x = placeholder(graph, 'x', 'float32', [2]);
  const y = mul(x, x);
  const loss = sum(mul(y, floatConstant(graph, [3, 5])));
  const [dLoss, dy, dx, again] = gradients(loss, [loss, y, x, x]);
  assert.ok(dLoss && dy && dx && again);
  const session = await openSession(runtime, graph, {
    run: { inputs: { x }, outputs: { dLoss, dy, dx, again } },
  });
  const outputs = session.run('run', { x: float32([1, 2]) });
  session.dispose();
  const values = ['dLoss', 'dy', 'dx', 'again'].map((name) => [...outputOf(outputs, name).data]);
  assert.deepEqual(values, [[1], [3, 5], [6, 20], [6, 20]]);
});

test('stops at constant ops, and goes round them', async () => {
  const found = await gradientsAt([[1, 2, 3]], (inputs) => {
    const x = at(inputs, 0);
    // The number of elements does not change with their values.
    return sum(mul(x, cast(size(x), 'float32')));
  });
  assert.deepEqual(found, [[3, 3, 3]]);

  const stopped = await gradientsAt([[1, 2, 3]], (inputs) => {
    const x = at(inputs, 0);
    const attributes = { T: { dtype: 'float32' } } as const;
    const same = x.graph.add({ op: 'StopGradient', inputs: [x], attributes, outputs: [x], backward: () => 'constant' });
    return sum(mul(x, at(same.outputs, 0)));
  });
  assert.deepEqual(stopped, [[1, 2, 3]]);
});

/** A scalar loss over an op of the test's own making. */
function through(node: (x: Tensor) => Node): { loss: Tensor; x: Tensor } {
  const x = placeholder(new Graph(), 'x', 'float32', [3, 2]);
  return { loss: sum(at(node(x).outputs, 0)), x };
}

function returning(gradient: (dy: Tensor, x: Tensor) => Tensor | undefined) {
  return through((x) =>
    x.graph.add({
      op: 'Odd',
      inputs: [x],
      outputs: [x],
      backward:
        () =>
        ([dy]) => [dy && gradient(dy, x)],
    }),
  );
}

const fresh = (x: Tensor, dtype: 'float32' | 'int32', shape: Shape) => placeholder(x.graph, 'wrong', dtype, shape);

test('a gradient of another type is named with its op and input', () => {
  const { loss, x } = returning((_, input) => fresh(input, 'int32', [3, 2]));
  assert.throws(() => gradients(loss, [x]), { message: "internal: Odd's gradient for input 0 is int32, not float32" });
});

test('a gradient of a shape that the input can’t have been broadcast to is named', () => {
  for (const shape of [[2], [3, 3], [2, 3], [null, 2]]) {
    const { loss, x } = returning((_, input) => fresh(input, 'float32', shape));
    assert.throws(
      () => gradients(loss, [x]),
      /^Error: internal: Odd's gradient for input 0 has shape \[.*, not \[3, 2\]$/,
    );
  }
});

test('a gradient of the shape that an input was broadcast to is summed', () => {
  const { loss, x } = returning((_, input) => fresh(input, 'float32', [null, 3, 2]));
  assert.deepEqual(gradients(loss, [x])[0]?.shape, [3, 2]);
});

test('a target that the loss does not depend on is named', () => {
  const graph = new Graph();
  const [x, y] = [placeholder(graph, 'x', 'float32', [2]), placeholder(graph, 'y', 'float32', [2])];
  const loss = sum(x);
  assert.throws(() => gradients(loss, [x, y]), {
    message: `internal: ${loss} does not depend on Placeholder y:0 float32[2]`,
  });
  // A path through a constant op is none.
  const counted = cast(size(y), 'float32');
  assert.throws(() => gradients(counted, [y]), /does not depend on Placeholder y:0/);
  // Neither is a rule that gives nothing.
  const { loss: cut, x: input } = returning(() => undefined);
  assert.throws(() => gradients(cut, [input]), /does not depend on Placeholder x:0/);
});

test('only a scalar is differentiated', () => {
  const x = placeholder(new Graph(), 'x', 'float32', [2]);
  assert.throws(() => gradients(x, [x]), {
    message: 'internal: only a scalar has a gradient, not Placeholder x:0 float32[2]',
  });
});

test('a final op on the way is refused, one beside it is not', () => {
  const { loss, x } = through((input) =>
    input.graph.add({ op: 'Last', name: 'last', inputs: [input], outputs: [input], backward: () => 'final' }),
  );
  assert.throws(() => gradients(loss, [x]), { message: "internal: Last last can't be differentiated" });
  const beside = sum(sub(x, loss));
  const other = placeholder(x.graph, 'other', 'float32', [2]);
  assert.doesNotThrow(() => gradients(add(beside, sum(other)), [other]));
});

test('a gradient is not differentiated again by mistake', () => {
  const x = placeholder(new Graph(), 'x', 'float32', [2]);
  const [dx] = gradients(sum(mul(relu(x), x)), [x]);
  assert.ok(dx);
  assert.throws(() => gradients(sum(mul(dx, dx)), [x]), /ReluGrad .* can't be differentiated/);
});

test('rules are asked only for what leads to a target', () => {
  const graph = new Graph();
  const asked: (readonly boolean[])[] = [];
  const [x, y] = [placeholder(graph, 'x', 'float32', [2]), placeholder(graph, 'y', 'float32', [2])];
  const node = graph.add({
    op: 'Watched',
    inputs: [x, relu(y)],
    outputs: [x],
    backward:
      () =>
      ([dy], wanted) => {
        asked.push(wanted);
        return [dy, dy];
      },
  });
  gradients(sum(at(node.outputs, 0)), [x]);
  assert.deepEqual(asked, [[true, false]]);
  assert.ok(!graph.nodes.some(({ op }) => op === 'ReluGrad'));
});

test('resnet18 computes no gradient of its images', () => {
  const model = findModel('resnet18');
  assert.ok(model);
  const input = { crop: 64, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
  const { graph } = buildStepGraph({ model, classes: 5, input, optimizer: { kind: 'adam' } });
  const ofOp = (wanted: string) => graph.nodes.filter(({ op }) => op === wanted);
  // 20 convolutions, built once for training and once for evaluation.
  assert.equal(ofOp('Conv2D').length, 40);
  assert.equal(ofOp('Conv2DBackpropFilter').length, 20);
  assert.equal(ofOp('Conv2DBackpropInput').length, 19);
  const depths = ofOp('Conv2DBackpropInput').map(({ outputs }) => outputs[0]?.shape[3]);
  assert.ok(!depths.includes(3), `channels: ${depths}`);
});
