// A compiled graph: what it takes, what it keeps between runs, and what it leaves behind.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UserError } from '#src/errors.js';
import { Graph, type Tensor } from '#src/graph/graph.js';
import { reshape } from '#src/graph/ops/array.js';
import { add, mul, sum } from '#src/graph/ops/math.js';
import { floatConstant, identity, placeholder } from '#src/graph/ops/source.js';
import { Variable } from '#src/graph/ops/state.js';
import { float32, int32, openSession, outputOf } from '#src/graph/session.js';
import { openRuntime } from '#src/tensorflow/runtime.js';

// Before anything asks for the temporary folder, so that what is left in it is this file's.
const temporary = mkdtempSync(join(tmpdir(), 'session-test-'));
process.env['TMPDIR'] = temporary;
after(() => rmSync(temporary, { recursive: true }));

const runtime = await openRuntime('cpu');

/** `set` and `get` a variable, `scale` a batch of pairs, and `split` six values, which fails for any other number. */
function example() {
  const graph = new Graph();
  const variable = new Variable(graph, 'kept', 'float32', []);
  const value = placeholder(graph, 'value', 'float32', []);
  const assigned = variable.assign(value);
  const pairs = placeholder(graph, 'pairs', 'float32', [null, 2]);
  const factors = placeholder(graph, 'factors', 'float32', [2]);
  const many = placeholder(graph, 'many', 'int32', [null]);
  const scaled = mul(pairs, factors);
  return {
    graph,
    signatures: {
      set: { inputs: { value }, outputs: { done: graph.after([assigned], () => identity(value)) } },
      get: { inputs: {}, outputs: { kept: variable.read() } },
      scale: { inputs: { pairs, factors }, outputs: { scaled, total: sum(scaled) } },
      split: { inputs: { many }, outputs: { rows: identity(reshape(many, [2, 3])) } },
    },
  };
}

async function openExample() {
  const { graph, signatures } = example();
  return openSession(runtime, graph, signatures);
}

const session = await openExample();
after(() => session.dispose());

test('signatures share variables, and runs keep them', () => {
  session.run('set', { value: float32(2.5) });
  assert.deepEqual([...outputOf(session.run('get'), 'kept').data], [2.5]);
  assert.deepEqual([...outputOf(session.run('get'), 'kept').data], [2.5]);
  session.run('set', { value: float32(-1) });
  assert.deepEqual([...outputOf(session.run('get'), 'kept').data], [-1]);
});

test('another session of the same graph has variables of its own', async () => {
  session.run('set', { value: float32(1) });
  const other = await openExample();
  other.run('set', { value: float32(2) });
  assert.deepEqual([...outputOf(session.run('get'), 'kept').data], [1]);
  assert.deepEqual([...outputOf(other.run('get'), 'kept').data], [2]);
  other.dispose();
});

test('all outputs come back under their names, with types and shapes', () => {
  const outputs = session.run('scale', { pairs: float32([1, 2, 3, 4], [2, 2]), factors: float32([10, -1]) });
  assert.deepEqual(outputs, {
    scaled: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(10, -2, 30, -4) },
    total: { dtype: 'float32', shape: [], data: Float32Array.of(34) },
  });
});

test('an open axis takes any length, and none', () => {
  for (const rows of [1, 3, 0]) {
    const pairs = float32(new Float32Array(rows * 2).fill(1), [rows, 2]);
    const { shape } = outputOf(session.run('scale', { pairs, factors: float32([1, 1]) }), 'scaled');
    assert.deepEqual(shape, [rows, 2]);
  }
});

const pairs = float32([1, 2], [1, 2]);
const factors = float32([1, 1]);
const refused: readonly (readonly [title: string, run: () => unknown, message: RegExp])[] = [
  ['a missing input', () => session.run('scale', { pairs }), /^internal: scale was run without its input factors$/],
  ['an unknown input', () => session.run('get', { pairs }), /^internal: get has no input pairs$/],
  [
    'a wrong type',
    () => session.run('scale', { pairs, factors: int32([1, 1]) }),
    /^internal: scale needs factors as float32\[2\], not 2 values as int32\[2\]$/,
  ],
  ['a wrong length', () => session.run('scale', { pairs, factors: float32([1]) }), /float32\[2\], not 1 values/],
  ['a wrong rank', () => session.run('scale', { pairs: float32([1, 2]), factors }), /float32\[\?, 2\], not 2 values/],
  [
    'too few values',
    () => session.run('scale', { pairs: float32([1], [1, 2]), factors }),
    /not 1 values as float32\[1, 2\]/,
  ],
];
for (const [title, run, message] of refused) {
  test(`refuses ${title}`, () => {
    assert.throws(run, { message });
  });
}

test('passes on what TensorFlow says of a failed run, and goes on', () => {
  assert.throws(() => session.run('split', { many: int32([1, 2, 3]) }), /3 values.*shape has 6/);
  assert.deepEqual(outputOf(session.run('split', { many: int32([1, 2, 3, 4, 5, 6]) }), 'rows').shape, [2, 3]);
});

test('frees every tensor, after failures too', () => {
  const before = runtime.tensorCount();
  for (let i = 0; i < 50; i++) {
    session.run('scale', { pairs, factors });
    assert.throws(() => session.run('split', { many: int32([1]) }));
  }
  assert.equal(runtime.tensorCount(), before);
});

test('nothing stays in the temporary folder, be the graph good or bad', async () => {
  const graph = new Graph();
  const x = placeholder(graph, 'x', 'float32', []);
  const [unknown] = graph.add({ op: 'NoSuchOp', inputs: [x], outputs: [x], backward: () => 'final' }).outputs;
  assert.ok(unknown);
  await assert.rejects(openSession(runtime, graph, { run: { inputs: { x }, outputs: { unknown } } }), /NoSuchOp/);
  const good = await openExample();
  good.dispose();
  assert.deepEqual(readdirSync(temporary), []);
});

test('a disposed session runs no more', async () => {
  const other = await openExample();
  other.dispose();
  assert.throws(() => other.run('get'), /deleted/);
});

test('an output that is not there is named', () => {
  assert.throws(() => outputOf(session.run('get'), 'gone'), /^Error: internal: the graph has no output gone$/);
});

test('what is read before an assignment is the old value, after it the new one', async () => {
  const graph = new Graph();
  const variable = new Variable(graph, 'x', 'float32', []);
  const value = placeholder(graph, 'value', 'float32', []);
  const initial = variable.assign(value);
  const start = { inputs: { value }, outputs: { done: graph.after([initial], () => identity(value)) } };

  const before = variable.read();
  const update = graph.after([before.node], () => variable.assign(floatConstant(graph, 7)));
  const afterwards: Tensor = graph.after([update], () => variable.read());
  // Asking for the old value alone must still run the update.
  const delayed = graph.after([update], () => identity(before));
  const ordered = await openSession(runtime, graph, {
    start,
    both: { inputs: {}, outputs: { before: identity(before), afterwards, sum: add(before, afterwards) } },
    old: { inputs: {}, outputs: { delayed } },
  });
  const read = (signature: 'both' | 'old', name: string) => outputOf(ordered.run(signature), name).data[0];
  // Unordered nodes would come out right now and then.
  for (let i = 0; i < 100; i++) {
    ordered.run('start', { value: float32(i) });
    const { before: old, afterwards: made, sum: total } = ordered.run('both');
    assert.deepEqual([old?.data[0], made?.data[0], total?.data[0]], [i, 7, i + 7]);
    ordered.run('start', { value: float32(i) });
    assert.equal(read('old', 'delayed'), i);
    assert.equal(read('both', 'before'), 7);
  }
  ordered.dispose();
});

test("a tensor that no memory can hold is the user's matter, in one line", async () => {
  const graph = new Graph();
  const value = placeholder(graph, 'value', 'float32', [null, 1]);
  const other = placeholder(graph, 'other', 'float32', [1, null]);
  const session = await openSession(runtime, graph, {
    grow: { inputs: { value, other }, outputs: { total: sum(mul(value, other)) } },
  });
  const side = 2 ** 23;
  const feeds = {
    value: float32(new Float32Array(side), [side, 1]),
    other: float32(new Float32Array(side), [1, side]),
  };
  assert.throws(
    () => session.run('grow', feeds),
    (error: Error) => {
      assert.ok(error instanceof UserError, error.stack);
      assert.match(
        error.message,
        /^Out of memory: found no room for a tensor of the shape \[8388608,8388608\]\. Choose/,
      );
      return true;
    },
  );
  session.dispose();
});
