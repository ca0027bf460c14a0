import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '#src/graph/graph.js';
import { add, matMul } from '#src/graph/ops/math.js';
import { floatConstant, placeholder } from '#src/graph/ops/source.js';
import { thaw } from '#src/graph/passes/thaw.js';
import { float32, openSession, outputOf } from '#src/graph/session.js';
import { openRuntime } from '#src/tensorflow/runtime.js';

function affine() {
  const x = placeholder(new Graph(), 'x', 'float32', [null, 2]);
  const weights = floatConstant(x.graph, [1, 2, 3, 4, 5, 6], [2, 3]);
  return { x, y: add(matMul(x, weights), floatConstant(x.graph, [10, 20, 30])) };
}

test('large constants become variables, which compute the same once they are loaded', async () => {
  const { tensors, load, values } = thaw(affine(), 6);
  const { x, y } = tensors;
  assert.deepEqual(
    [...values.values()].map(({ shape }) => shape),
    [[2, 3]],
  );
  assert.ok(load);
  const run = { inputs: { x }, outputs: { y } };
  const session = await openSession<'load' | 'run'>(await openRuntime('cpu'), y.graph, { load, run });
  session.run('load', Object.fromEntries([...values].map(([name, { data, shape }]) => [name, float32(data, shape)])));
  for (const _ of [1, 2]) {
    const { data } = outputOf(session.run('run', { x: float32([1, 1, 2, 0], [2, 2]) }), 'y');
    assert.deepEqual([...data], [15, 27, 39, 12, 24, 36]);
  }
  session.dispose();
});

test('small ones stay', () => {
  const { load, values, tensors } = thaw(affine(), 7);
  assert.equal(load, undefined);
  assert.equal(values.size, 0);
  assert.ok(tensors.y.graph.nodes.every(({ op }) => op !== 'VarHandleOp'));
});
