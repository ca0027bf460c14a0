import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Graph, type Tensor } from '#src/graph/graph.js';
import { relu } from '#src/graph/ops/activation.js';
import { cast, pad, reshape, transpose } from '#src/graph/ops/array.js';
import { addBias, conv2d } from '#src/graph/ops/conv.js';
import { depthwiseConv2d } from '#src/graph/ops/depthwise.js';
import { add, matMul } from '#src/graph/ops/math.js';
import { batchNormInference } from '#src/graph/ops/norm.js';
import { floatConstant, identity, intConstant, placeholder } from '#src/graph/ops/source.js';
import { Variable } from '#src/graph/ops/state.js';
import { winogradConv2d } from '#src/graph/ops/winograd.js';
import { floatsOf } from '#src/graph/passes/constants.js';
import { foldBatchNorm } from '#src/graph/passes/fold-batch-norm.js';
import { foldConstants } from '#src/graph/passes/fold-constants.js';
import { freeze } from '#src/graph/passes/freeze.js';
import { fuseBiasAndActivation } from '#src/graph/passes/fuse.js';
import { normaliseFilters } from '#src/graph/passes/normalise-filters.js';
import { rewrite } from '#src/graph/passes/rewrite.js';
import { splitGroups } from '#src/graph/passes/split-groups.js';
import { turnMatrices } from '#src/graph/passes/turn-matrices.js';
import { padByZero } from '#src/graph/passes/zero-padding.js';
import { float32, openSession, outputOf } from '#src/graph/session.js';
import { elementCount, type Shape } from '#src/graph/types.js';
import { openRuntime } from '#src/tensorflow/runtime.js';

const runtime = await openRuntime('cpu');

type InOut = { x: Tensor; y: Tensor };

/** Numbers that differ from each other and have both signs. */
const numbers = (count: number, seed = 1) => Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + seed));

const filled = (graph: Graph, shape: readonly number[], seed?: number) =>
  floatConstant(graph, numbers(elementCount(shape), seed), shape);

/** y for the same images whatever the graph. */
async function run({ x, y }: InOut): Promise<number[]> {
  const session = await openSession(runtime, x.graph, { run: { inputs: { x }, outputs: { y } } });
  const shape = x.shape.map((size) => size ?? 2);
  const { data } = outputOf(session.run('run', { x: float32(numbers(elementCount(shape)), shape) }), 'y');
  session.dispose();
  return [...data];
}

const opsOf = ({ y }: InOut) =>
  y.graph.nodes.map(({ op }) => op).filter((op) => op !== 'Const' && op !== 'Placeholder');

async function assertSame(before: InOut, after: InOut): Promise<void> {
  const [expected, found] = [await run(before), await run(after)];
  assert.equal(found.length, expected.length);
  for (const [index, value] of expected.entries()) assert.ok(Math.abs((found[index] ?? NaN) - value) < 1e-5);
}

const images: Shape = [null, 5, 5, 4];

function start(shape: Shape = images): { graph: Graph; x: Tensor } {
  const graph = new Graph();
  return { graph, x: placeholder(graph, 'x', 'float32', shape) };
}

function normalised(x: Tensor): Tensor {
  const { graph } = x;
  const channels = x.shape[3] ?? 0;
  const variance = numbers(channels, 5).map((value) => value + 1.5);
  return batchNormInference(
    {
      x,
      scale: filled(graph, [channels], 2),
      offset: filled(graph, [channels], 3),
      runningMean: filled(graph, [channels], 4),
      runningVariance: floatConstant(graph, variance),
    },
    { epsilon: 1e-3 },
  );
}

test('a rewritten graph holds only what is needed', async () => {
  const { graph, x } = start();
  const before = { x, y: add(x, floatConstant(graph, 1)) };
  relu(before.y);
  const after = rewrite(before);
  assert.deepEqual(opsOf(after), ['AddV2']);
  assert.equal(after.x.name, 'x:0');
  await assertSame(before, after);
});

test('variables are frozen to the values of their names', async () => {
  const { graph, x } = start([null, 2]);
  const variable = new Variable(graph, 'w', 'float32', [2]);
  const frozen = freeze({ x, y: add(add(x, variable.read()), variable.read()) }, (name) => {
    assert.equal(name, 'w');
    return { shape: [2], data: Float32Array.of(3, 5) };
  });
  assert.deepEqual(opsOf(frozen), ['AddV2', 'AddV2']);
  const [a = 0, b = 0] = numbers(2);
  const [first = 0, second = 0] = await run(frozen);
  assert.ok(Math.abs(first - (a + 6)) < 1e-6 && Math.abs(second - (b + 10)) < 1e-6);
});

test('casts, reshapes and transpositions of constants are computed beforehand, identities go', async () => {
  const { graph, x } = start([null, 2, 3, 4]);
  const turned = transpose(reshape(filled(graph, [24]), [4, 2, 3]), [1, 2, 0]);
  const before = { x, y: identity(add(identity(add(x, turned)), cast(intConstant(graph, 2), 'float32')), 'y') };
  const after = foldConstants(before);
  assert.deepEqual(opsOf(after), ['AddV2', 'AddV2', 'Identity']);
  assert.equal(after.y.name, 'y:0');
  await assertSame(before, after);
});

describe('batch norm is folded into', () => {
  const cases: Record<string, (x: Tensor) => Tensor> = {
    'a convolution': (x) => conv2d(x, filled(x.graph, [3, 3, 4, 6])),
    'a grouped convolution': (x) => conv2d(x, filled(x.graph, [3, 3, 2, 6])),
    'a convolution with a bias': (x) => addBias(conv2d(x, filled(x.graph, [3, 3, 4, 6])), filled(x.graph, [6], 7)),
    'a depthwise convolution': (x) => depthwiseConv2d(x, filled(x.graph, [3, 3, 4, 2])),
  };
  for (const [name, layer] of Object.entries(cases)) {
    test(name, async () => {
      const { x } = start();
      const before = { x, y: normalised(layer(x)) };
      const after = foldBatchNorm(before);
      assert.equal(opsOf(after).length, 2);
      assert.equal(opsOf(after).at(-1), 'BiasAdd');
      await assertSame(before, after);
    });
  }
});

const noKernels = runtime.kernels.size === 0 && 'there are no kernels for this processor';

test('batch norm is folded into a convolution by our kernels', { skip: noKernels }, async () => {
  const { x } = start([null, 5, 5, 16]);
  const shape = [3, 3, 16, 32];
  const weights = numbers(elementCount(shape)).map((value) => value / 10);
  const filters = floatConstant(x.graph, weights, shape);
  const before = { x, y: normalised(winogradConv2d(x, filters)) };
  const after = foldBatchNorm(before);
  assert.deepEqual(opsOf(after), ['DeepCnnWinograd', 'BiasAdd']);
  await assertSame(before, after);
});

describe('batch norm stays', () => {
  const cases: Record<string, (x: Tensor) => Tensor> = {
    'before a convolution': (x) => conv2d(normalised(x), filled(x.graph, [3, 3, 4, 6])),
    'behind a convolution that others use': (x) => {
      const y = conv2d(x, filled(x.graph, [3, 3, 4, 6]));
      return add(normalised(y), y);
    },
  };
  for (const [name, layer] of Object.entries(cases)) {
    test(name, async () => {
      const { x } = start();
      const before = { x, y: layer(x) };
      const after = foldBatchNorm(before);
      assert.deepEqual(opsOf(after), opsOf(before));
      await assertSame(before, after);
    });
  }
});

describe('bias and ReLU are fused with', () => {
  const cases: Record<string, { shape?: Shape; op: string; layer: (x: Tensor) => Tensor }> = {
    'a convolution': { op: '_FusedConv2D', layer: (x) => conv2d(x, filled(x.graph, [3, 3, 4, 6])) },
    'a matrix product': { shape: [null, 4], op: '_FusedMatMul', layer: (x) => matMul(x, filled(x.graph, [4, 6])) },
  };
  for (const [name, { shape, op, layer }] of Object.entries(cases)) {
    test(name, () => {
      const { graph, x } = start(shape);
      const y = relu(addBias(layer(x), filled(graph, [6], 2)));
      const after = fuseBiasAndActivation({ x, y });
      assert.deepEqual(opsOf(after), [op]);
      assert.deepEqual(after.y.node.attributes['fused_ops'], { strings: ['BiasAdd', 'Relu'] });
    });
  }

  test('a depthwise convolution', () => {
    const { graph, x } = start();
    const y = relu(addBias(depthwiseConv2d(x, filled(graph, [3, 3, 4, 1])), filled(graph, [4])));
    assert.deepEqual(opsOf(fuseBiasAndActivation({ x, y })), ['FusedDepthwiseConv2dNative']);
  });

  test('nothing where the sum without ReLU is used as well', () => {
    const { graph, x } = start();
    const sum = addBias(conv2d(x, filled(graph, [3, 3, 4, 6])), filled(graph, [6], 2));
    const after = fuseBiasAndActivation({ x, y: add(relu(sum), sum) });
    assert.deepEqual(opsOf(after), ['_FusedConv2D', 'Relu', 'AddV2']);
  });
});

test('a grouped convolution is split into one for each group', async () => {
  const { graph, x } = start();
  const before = { x, y: conv2d(x, filled(graph, [3, 3, 2, 6]), { stride: 2, padding: 'SAME' }) };
  const after = splitGroups(before);
  assert.deepEqual(opsOf(after), ['Split', 'Conv2D', 'Conv2D', 'ConcatV2']);
  await assertSame(before, after);
});

test('padding by minus infinity becomes padding by zero only where nothing is negative', () => {
  const paddings = [
    [0, 0],
    [1, 1],
    [0, 1],
    [0, 0],
  ] as const;
  const lowest = (graph: Graph) => floatConstant(graph, Number.NEGATIVE_INFINITY);
  const { graph, x } = start();
  const fillOf = (y: Tensor) => {
    const value = padByZero({ x, y }).y.node.inputs[2];
    return value && floatsOf(value)?.[0];
  };
  assert.equal(fillOf(pad(relu(x), paddings, lowest(graph))), 0);
  assert.equal(fillOf(pad(x, paddings, lowest(graph))), Number.NEGATIVE_INFINITY);
});

describe('the channels of a filter reach from -1 to 1, and are scaled back', () => {
  const cases: Record<string, { shape?: Shape; layer: (x: Tensor) => Tensor }> = {
    'of a convolution': { layer: (x) => conv2d(x, filled(x.graph, [3, 3, 4, 6])) },
    'of a matrix': { shape: [null, 4], layer: (x) => matMul(x, filled(x.graph, [4, 6])) },
  };
  for (const [name, { shape, layer }] of Object.entries(cases)) {
    test(name, async () => {
      const { x } = start(shape);
      const before = { x, y: layer(x) };
      const after = normaliseFilters(before);
      const [normalised] = after.y.node.inputs[1]?.node.inputs ?? [];
      const values = [...((normalised && floatsOf(normalised)) ?? [])];
      assert.equal(
        values.reduce((a, b) => Math.max(a, Math.abs(b)), 0),
        1,
      );
      await assertSame(before, after);
    });
  }

  test('but not of a depthwise one', () => {
    const { graph, x } = start();
    const before = { x, y: depthwiseConv2d(x, filled(graph, [3, 3, 4, 1])) };
    assert.deepEqual(opsOf(normaliseFilters(before)), opsOf(before));
  });
});

test('a matrix that is read transposed is transposed beforehand', async () => {
  const { graph, x } = start([null, 4]);
  const before = { x, y: matMul(x, filled(graph, [6, 4]), { transposeB: true }) };
  const after = turnMatrices(before);
  assert.deepEqual(after.y.node.inputs[1]?.shape, [4, 6]);
  assert.deepEqual(after.y.node.attributes['transpose_b'], { bool: false });
  await assertSame(before, after);
});
