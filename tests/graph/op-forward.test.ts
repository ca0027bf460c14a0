// Every op of the registry computes what it says, and in the type and shape that the builder foretold.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Graph, type Tensor } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import { ops } from '#src/graph/ops/registry.js';
import type { Signature } from '#src/graph/saved-model.js';
import { openSession, outputOf, type Session } from '#src/graph/session.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { assertClose } from './closeness.js';
import { type ForwardCase, inParts, place, runnable, titleOf, withoutCase } from './op-case.js';
import { forwardCases } from './op-cases/all.js';

test('every op of the registry has a case', () => {
  assert.deepEqual(withoutCase(ops.keys(), forwardCases), []);
});

test('an op without a case is noticed', () => {
  const others = forwardCases.filter(({ op }) => op !== 'Conv2D');
  assert.deepEqual(withoutCase(ops.keys(), others), ['Conv2D']);
});

test('no two cases have the same title', () => {
  assert.equal(new Set(forwardCases.map(titleOf)).size, forwardCases.length);
});

const runtime = await openRuntime('cpu');
for (const part of inParts(runnable(runtime, forwardCases))) {
  const graph = new Graph();
  const built = part.map((spec) => ({ spec, ...place(graph, spec, spec.build) }));
  const signatures = built.map(({ spec, feeds, made }): [string, Signature] => {
    // Other types can't leave a graph.
    const visible = made.map((tensor) => (tensor.dtype === 'int32' ? tensor : cast(tensor, 'float32')));
    return [titleOf(spec), { inputs: feeds, outputs: Object.fromEntries(visible.map((y, i) => [`y${i}`, y])) }];
  });
  const session = await openSession(runtime, graph, Object.fromEntries(signatures));
  after(() => session.dispose());
  for (const { spec, made } of built) test(titleOf(spec), () => assertForward(session, spec, made));
}

function assertForward(session: Session<string>, spec: ForwardCase, made: readonly Tensor[]): void {
  const found = session.run(titleOf(spec), Object.fromEntries(spec.inputs.map((value, i) => [`x${i}`, value])));
  const outputs = made.map((_, i) => outputOf(found, `y${i}`));
  for (const [index, { shape }] of outputs.entries()) {
    const filledIn = made[index]?.shape.map((length, axis) => length ?? shape[axis]);
    assert.deepEqual(shape, filledIn, `shape of output ${index}`);
  }
  const values = outputs.map(({ data }) => Array.from(data));
  const { expected, tolerance } = spec;
  if (typeof expected === 'function') {
    expected(values);
  } else {
    assert.equal(values.length, expected.length);
    for (const [index, numbers] of expected.entries()) assertClose(values[index] ?? [], numbers, tolerance);
  }
}
