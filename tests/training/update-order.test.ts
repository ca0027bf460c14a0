// A parameter is changed in its place: a value that is still read would be copied first, and lie there twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#src/graph/graph.js';
import { nodesBefore } from '#src/graph/substitute.js';
import type { OptimizerOptions } from '#src/training/optimizer.js';
import { buildStepGraph } from '#src/training/step-graph.js';
import { classes, input, tinyModel } from './tiny-network.js';

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

for (const [name, optimizer] of Object.entries(optimizers)) {
  test(`${name} changes a parameter once everything has read it`, () => {
    const { signatures, parameters } = buildStepGraph({ model: tinyModel, classes, input, optimizer });
    const ran = [...nodesBefore(Object.values(signatures.train_step.outputs))];
    for (const { spec, variable } of parameters.filter(({ spec }) => spec.trainable)) {
      const isOfVariable = (node: Node | undefined) => {
        const shared = node?.attributes['shared_name'];
        return shared !== undefined && 'string' in shared && shared.string === variable.name;
      };
      const reads = ran.filter(({ op, inputs }) => op === 'ReadVariableOp' && isOfVariable(inputs[0]?.node));
      const readers = ran.filter(({ inputs }) => inputs.some(({ node }) => reads.includes(node)));
      const changes = ran.filter(({ op, inputs }) => changing.has(op) && isOfVariable(inputs[0]?.node));
      assert.equal(changes.length, name === 'AdamW' ? 2 : 1, spec.name);
      assert.ok(readers.length > 0, spec.name);
      for (const change of changes) {
        const done = before(change);
        const late = readers.filter((node) => !done.has(node)).map(({ op }) => op);
        assert.deepEqual(late, [], `${spec.name}: ${change.op} does not wait for these`);
      }
    }
  });
}
