// What a training step with a frozen part consists of, before anything runs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#src/graph/graph.js';
import type { Signature } from '#src/graph/saved-model.js';
import { findModel } from '#src/models/registry.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';
import { classes, input, tinyModel } from './tiny-network.js';

const adamw = { kind: 'adam', weightDecay: 0.1 } as const;

/** Everything that a signature runs. */
function nodesOf({ outputs }: Signature): Set<Node> {
  const found = new Set<Node>();
  const waiting = Object.values(outputs).map(({ node }) => node);
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    waiting.push(...node.controls, ...node.inputs.map((tensor) => tensor.node));
  }
  return found;
}

/** The optimizer's variables that a signature touches, as `fc.weight/exp_avg`. */
function slotsOf(signature: Signature): string[] {
  return [...nodesOf(signature)]
    .map(({ attributes }) => attributes['shared_name'])
    .flatMap((name) => (name && 'string' in name && /\/(exp_avg|momentum)/.test(name.string) ? [name.string] : []))
    .sort();
}

const slotNames = (names: readonly string[]) =>
  names.flatMap((name) => [`${name}/exp_avg`, `${name}/exp_avg_sq`]).sort();

test('what is frozen has no memory for the optimizer before it is opened', () => {
  const options = { model: tinyModel, classes, input, optimizer: adamw, freeze: 'bn' };
  const { signatures } = buildStepGraph({ ...options, unfreezeLater: true });
  const [head, late] = [slotNames(['fc.weight', 'fc.bias']), slotNames(['conv.weight', 'bn.weight', 'bn.bias'])];
  for (const name of ['init', 'init_random', 'train_step'] as const) assert.deepEqual(slotsOf(signatures[name]), head);
  assert.deepEqual(slotsOf(signatures.unfreeze), late);
  assert.deepEqual(slotsOf(signatures.late_step), [...head, ...late].sort());
  const never = buildStepGraph(options);
  assert.deepEqual(never.optimizer.slots.map(({ variable }) => variable.name).sort(), head);
  assert.ok(!never.graph.nodes.some(({ name }) => name.includes('conv.weight/exp_avg')));
});

const rates = (group: string) => [
  `${group}_learning_rate`,
  `${group}_beta1_power`,
  `${group}_beta2_power`,
  `${group}_epsilon`,
];

test('steps are fed the rates of the groups that they train, and nothing else', () => {
  const options = { model: tinyModel, classes, input, optimizer: adamw };
  const fed = (more: Partial<StepGraphOptions>, step: 'train_step' | 'late_step' | 'gradients') =>
    Object.keys(buildStepGraph({ ...options, ...more }).signatures[step].inputs).sort();
  const images = ['pixels', 'labels'];
  const all = [...images, ...rates('head'), ...rates('backbone')].sort();
  assert.deepEqual(fed({}, 'train_step'), all);
  assert.deepEqual(fed({ freeze: 'conv' }, 'train_step'), all);
  assert.deepEqual(fed({ freeze: 'backbone' }, 'train_step'), [...images, ...rates('head')].sort());
  const later = { freeze: 'conv', unfreezeLater: true };
  assert.deepEqual(fed(later, 'train_step'), all);
  assert.deepEqual(fed(later, 'late_step'), [...all, ...rates('late')].sort());
  const mixed = ['mix_amount', 'mix_box', 'mix_label_share'];
  assert.deepEqual(fed({ ...later, mixing: true }, 'late_step'), [...all, ...rates('late'), ...mixed].sort());
  assert.deepEqual(fed({ mixing: true }, 'gradients'), [...images, ...mixed].sort());
});

const resnet = findModel('resnet18');
assert.ok(resnet);
const small = { model: resnet, classes, input: { ...input, crop: 32 }, optimizer: adamw };

test('ResNet-18 has no gradients towards frozen layers', () => {
  const convolutions = (freeze: string) => {
    const nodes = [...nodesOf(buildStepGraph({ ...small, freeze }).signatures.train_step)].map(({ op }) => op);
    const count = (op: string) => nodes.filter((each) => each === op).length;
    return [count('Conv2D'), count('Conv2DBackpropFilter'), count('Conv2DBackpropInput')];
  };
  // The first convolution's input is the images.
  assert.deepEqual(convolutions('none'), [20, 20, 19]);
  // layer4 has five; its input goes to the first and to the shortcut.
  assert.deepEqual(convolutions('layer3'), [20, 5, 3]);
  assert.deepEqual(convolutions('backbone'), [20, 0, 0]);
});

for (const name of [
  ...['alexnet', 'vgg11_bn', 'squeezenet1_1', 'googlenet', 'inception_v3', 'densenet121', 'mobilenet_v2'],
  ...['mobilenet_v3_small', 'mnasnet0_5', 'shufflenet_v2_x0_5', 'efficientnet_b0', 'efficientnet_v2_s'],
  ...['efficientnet_lite0', 'regnet_y_400mf', 'convnext_tiny'],
]) {
  test(`${name} with freeze=backbone trains its head, in the rest as in evaluation`, () => {
    const model = findModel(name);
    assert.ok(model);
    const options = { model, classes, input: { ...input, crop: 80 }, optimizer: adamw };
    const { signatures, trained } = buildStepGraph({ ...options, freeze: 'backbone', unfreezeLater: true });
    const head = [`${model.head}.weight`, `${model.head}.bias`];
    assert.deepEqual(
      trained.map((parameter) => parameter.name),
      head,
    );
    const counts = (signature: Signature) => {
      const nodes = [...nodesOf(signature)];
      const count = (isCounted: (node: Node) => boolean) => nodes.filter(isCounted).length;
      return {
        updates: count(({ op }) => op === 'ResourceApplyAdam'),
        decays: count(({ op }) => op === 'AssignSubVariableOp'),
        statistics: count(({ op }) => op === 'AssignVariableOp'),
        moving: count(({ op, attributes: { is_training: mode } }) => {
          return op === 'FusedBatchNormV3' && mode !== undefined && 'bool' in mode && mode.bool;
        }),
        filters: count(({ op }) => /^(Conv2D|DepthwiseConv2dNative)BackpropFilter$/.test(op)),
        random: count(({ op }) => op === 'StatelessRandomUniform'),
      };
    };
    const { random, filters, ...frozen } = counts(signatures.train_step);
    assert.deepEqual(frozen, { updates: 2, decays: 2, statistics: 0, moving: 0 });
    // SqueezeNet's head is a convolution.
    assert.equal(filters, name === 'squeezenet1_1' ? 1 : 0);
    const plain = counts(buildStepGraph(options).signatures.train_step);
    assert.deepEqual(counts(signatures.late_step), plain);
    // What drops within the backbone does not.
    assert.ok(random <= (name === 'alexnet' || name === 'vgg11_bn' ? 2 : 1) && random <= plain.random, `${random}`);
    for (const step of ['train_step', 'late_step'] as const) {
      assert.equal('random_seed' in signatures[step].inputs, counts(signatures[step]).random > 0);
    }
  });
}
