import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph, type Tensor } from '#src/graph/graph.js';
import { relu } from '#src/graph/ops/activation.js';
import { cast } from '#src/graph/ops/array.js';
import { add, mul } from '#src/graph/ops/math.js';
import { floatConstant, identity, placeholder } from '#src/graph/ops/source.js';
import { Variable } from '#src/graph/ops/state.js';
import { float32, openSession, outputOf } from '#src/graph/session.js';
import { digestOf, nodesAfter, nodesBefore, substitute } from '#src/graph/substitute.js';
import { openRuntime } from '#src/tensorflow/runtime.js';

/** y = relu(x + 1) * kept, which then becomes y. */
function example() {
  const graph = new Graph();
  const variable = new Variable(graph, 'kept', 'float32', []);
  const [x, one] = ['x', 'one'].map((name) => placeholder(graph, name, 'float32', [])) as [Tensor, Tensor];
  const middle = add(x, one);
  const kept = variable.read();
  const y = mul(relu(middle), kept);
  const assigned = variable.assign(y);
  const done = graph.after([assigned], () => identity(one, 'done'));
  return { graph, variable, x, one, middle, kept, y, done, assigned };
}

test('nodes after a tensor are those that need it, or wait for one that does', () => {
  const { x, one, middle, kept, y, done, assigned } = example();
  assert.deepEqual(
    [...nodesAfter([x])].map(({ name }) => name),
    [middle.node, y.node.inputs[0]?.node, y.node, assigned, done.node].map((node) => node?.name),
  );
  assert.ok(!nodesAfter([kept]).has(middle.node) && nodesAfter([kept]).has(y.node));
  assert.ok(nodesAfter([one]).has(done.node));
  assert.equal(nodesAfter([]).size, 0);
});

test('nodes before a tensor are those that it needs or waits for', () => {
  const { x, one, kept, y, done, assigned } = example();
  const found = nodesBefore([done]);
  for (const node of [x.node, one.node, kept.node, y.node, assigned, done.node]) assert.ok(found.has(node), node.name);
  const ofKept = nodesBefore([kept]);
  assert.ok(ofKept.has(kept.node) && !ofKept.has(x.node));
});

test('a substitute is computed from the other tensor, with all that waits for it, and shares the rest', async () => {
  const { graph, variable, x, one, middle, y, done } = example();
  const other = placeholder(graph, 'other', 'float32', []);
  const whole = { y, done };
  const nodes = graph.nodes.length;
  const again = substitute(whole, middle, other);
  // relu, mul, the assignment and what waits for it.
  assert.equal(graph.nodes.length - nodes, 4);
  assert.ok(!nodesBefore(Object.values(again)).has(x.node));

  const value = placeholder(graph, 'value', 'float32', []);
  const session = await openSession(await openRuntime('cpu'), graph, {
    set: { inputs: { value }, outputs: { set: graph.after([variable.assign(value)], () => identity(value)) } },
    get: { inputs: {}, outputs: { kept: variable.read() } },
    whole: { inputs: { x, one }, outputs: whole },
    again: { inputs: { other, one }, outputs: again },
  });
  const kept = () => outputOf(session.run('get'), 'kept').data[0];
  for (const [name, inputs] of [
    ['whole', { x: float32(4), one: float32(1) }],
    ['again', { other: float32(5), one: float32(1) }],
  ] as const) {
    session.run('set', { value: float32(3) });
    assert.equal(outputOf(session.run(name, inputs), 'y').data[0], 15);
    assert.equal(kept(), 15, `${name} assigns`);
  }
  session.dispose();
});

test('a digest stands for the computation, whatever its nodes are called', () => {
  const digest = ({
    scope = 'a',
    constant = 2,
    name = 'w',
    dtype = 'float32' as 'float32' | 'bfloat16',
    twice = false,
  } = {}) => {
    const graph = new Graph();
    return graph.scope(scope, () => {
      const x = cast(placeholder(graph, 'x', 'float32', [null]), dtype);
      const w = cast(new Variable(graph, name, 'float32', []).read(), dtype);
      const y = mul(add(x, cast(floatConstant(graph, constant), dtype)), w);
      return digestOf([twice ? add(y, y) : y]);
    });
  };
  assert.match(digest(), /^[0-9a-f]{64}$/);
  assert.equal(digest({ scope: 'b' }), digest());
  const others = [{}, { constant: 3 }, { name: 'v' }, { dtype: 'bfloat16' as const }, { twice: true }];
  assert.equal(new Set(others.map(digest)).size, others.length);
});

test('what does not depend on the tensor stays itself', () => {
  const { graph, x, kept, y } = example();
  const other = placeholder(graph, 'other', 'float32', []);
  assert.equal(substitute({ kept }, x, other).kept, kept);
  assert.equal(substitute({ y }, y, other).y, other);
});
