// A parameter is changed in its place: a value that is still read would be copied first, and lie there twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#src/graph/graph.js';
import { nodesBefore } from '#src/graph/substitute.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool } from '#src/models/module.js';
import type { OptimizerOptions } from '#src/training/optimizer.js';
import { buildStepGraph } from '#src/training/step-graph.js';
import { classes, input, sharingModel, tinyModel } from './tiny-network.js';

const optimizers: Readonly<Record<string, OptimizerOptions>> = {
  Adam: { kind: 'adam' },
  AdamW: { kind: 'adam', weightDecay: 0.1 },
  SGD: { kind: 'sgd' },
  'SGD with weight decay': { kind: 'sgd', weightDecay: 0.1 },
};
const changing = new Set(['ResourceApplyAdam', 'ResourceApplyMomentum', 'AssignSubVariableOp']);

/** Whatever must have run before a node. */
function before(node: Node, found = new Set<Node>()): Set<Node> {
  for (const earlier of [...node.inputs.map((input) => input.node), ...node.controls]) {
    if (!found.has(earlier)) before(earlier, found.add(earlier));
  }
  return found;
}

/** Ops whose outputs are their input's memory, or may be. */
const views = new Set(['Reshape', 'SplitV', 'Squeeze', 'ExpandDims', 'Identity']);

/** Those of `nodes` that read what these hold, or a part of it. */
function readersOf(read: readonly Node[], nodes: readonly Node[]): Node[] {
  const readers = nodes.filter(({ inputs }) => inputs.some(({ node }) => read.includes(node)));
  const parts = readers.filter(({ op }) => views.has(op));
  return parts.length === 0 ? readers : [...readers, ...readersOf(parts, nodes)];
}

/** The gradient of a depthwise convolution's images reads its filter in another shape, after that of the filter. */
const depthwiseModel: Model = {
  build(m, images, outputs) {
    const x = m.conv('conv', images, { channels: 6, kernel: 3 });
    return m.linear('fc', globalAveragePool(m.conv('depthwise', x, { channels: 6, kernel: 3, groups: 6 })), outputs);
  },
  head: 'fc',
};

const networks: Readonly<Record<string, Model>> = {
  'a parameter': tinyModel,
  'a filter that is reshaped': depthwiseModel,
  'parameters that share a variable': sharingModel,
};
const cases = Object.entries(optimizers).flatMap(([name, optimizer]) =>
  Object.entries(networks).map(([what, model]) => ({ name, optimizer, what, model })),
);

for (const { name, optimizer, what, model } of cases) {
  test(`${name} changes ${what} once everything has read it`, () => {
    const { signatures, parameters } = buildStepGraph({ model, classes, input, optimizer });
    const ran = [...nodesBefore(Object.values(signatures.train_step.outputs))];
    const trained = parameters.filter(({ spec }) => spec.trainable);
    const storages = new Set(trained.map(({ storage }) => storage));
    assert.equal(storages.size < trained.length, model === sharingModel);
    for (const { name: storage, variable } of storages) {
      const isOfVariable = (node: Node | undefined) => {
        const shared = node?.attributes['shared_name'];
        return shared !== undefined && 'string' in shared && shared.string === variable.name;
      };
      const reads = ran.filter(({ op, inputs }) => op === 'ReadVariableOp' && isOfVariable(inputs[0]?.node));
      const readers = readersOf(reads, ran);
      const changes = ran.filter(({ op, inputs }) => changing.has(op) && isOfVariable(inputs[0]?.node));
      assert.equal(changes.length, name === 'AdamW' ? 2 : 1, storage);
      assert.ok(readers.length > 0, storage);
      for (const change of changes) {
        const done = before(change);
        const late = readers.filter((node) => !done.has(node)).map(({ op }) => op);
        assert.deepEqual(late, [], `${storage}: ${change.op} does not wait for these`);
      }
    }
  });
}
