// What `freeze` means for each family of networks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '#src/errors.js';
import { type Frozen, freezingOf } from '#src/models/freezing.js';
import { findModel, modelNames } from '#src/models/registry.js';
import { structureOf } from '#src/models/structure.js';

interface Named {
  name: string;
  trainable: boolean;
}

function networkOf(name: string): { names: readonly Named[]; head: string } {
  const model = findModel(name);
  assert.ok(model, name);
  const { parameters } = structureOf(model, { classes: 5, crop: 224 });
  return {
    names: parameters.all.map((parameter) => ({ name: parameter.name, trainable: parameter.spec.trainable })),
    head: model.head,
  };
}

const resnet = networkOf('resnet18');
const freeze = (what: string, { names, head } = resnet): Frozen => {
  const frozen = freezingOf(what, names, head);
  assert.ok(frozen);
  return frozen;
};

const trainedIn = (frozen: Frozen, { names } = resnet) =>
  names.filter(({ name }) => !frozen.parameter(name)).map(({ name }) => name);

test('none freezes nothing', () => {
  assert.equal(freezingOf('none', resnet.names, resnet.head), undefined);
});

for (const name of modelNames()) {
  test(`${name}: backbone leaves the head`, () => {
    const network = networkOf(name);
    assert.deepEqual(trainedIn(freeze('backbone', network), network), [
      `${network.head}.weight`,
      `${network.head}.bias`,
    ]);
  });
}

test('a stage is frozen with all before it, running statistics included', () => {
  const frozen = freeze('layer3');
  for (const name of ['conv1.weight', 'bn1.bias', 'bn1.running_var', 'layer1.0.conv1.weight', 'layer3.1.bn2.weight']) {
    assert.ok(frozen.parameter(name), name);
  }
  const trained = trainedIn(frozen);
  assert.deepEqual([...new Set(trained.map((name) => name.split('.')[0]))], ['layer4', 'fc']);
  assert.equal(trained.length, resnet.names.filter(({ name }) => /^(layer4|fc)\./.test(name)).length);
});

test('a part of a stage is frozen up to its last parameter', () => {
  assert.equal(trainedIn(freeze('layer4.0.conv1'))[0], 'layer4.0.bn1.weight');
  assert.equal(trainedIn(freeze('layer4.0'))[0], 'layer4.1.conv1.weight');
  assert.equal(trainedIn(freeze('conv1'))[0], 'bn1.weight');
});

test('names that begin alike are told apart', () => {
  const names = ['layer1.weight', 'layer10.weight', 'fc.weight'].map((name) => ({ name, trainable: true }));
  assert.deepEqual(trainedIn(freeze('layer1', { names, head: 'fc' }), { names, head: 'fc' }), [
    'layer10.weight',
    'fc.weight',
  ]);
  assert.ok(!freeze('layer1', { names, head: 'fc' }).module('layer10'));
});

test('a module is frozen where all of its parameters are', () => {
  const frozen = freeze('layer4.0');
  for (const path of ['conv1', 'layer1', 'layer3.1', 'layer4.0', 'layer4.0.downsample']) {
    assert.ok(frozen.module(path), path);
  }
  for (const path of ['layer4', 'layer4.1', 'fc', '', 'layer', 'layer3.1.relu']) {
    assert.ok(!frozen.module(path), path);
  }
});

const stages: Readonly<Record<string, { stage: string; first: string }>> = {
  alexnet: { stage: 'features.10', first: 'classifier.1.weight' },
  vgg16_bn: { stage: 'classifier.0', first: 'classifier.3.weight' },
  squeezenet1_1: { stage: 'features.11', first: 'features.12.squeeze.weight' },
  googlenet: { stage: 'inception4e', first: 'inception5a.branch1.conv.weight' },
  inception_v3: { stage: 'Mixed_6e', first: 'Mixed_7a.branch3x3_1.conv.weight' },
  densenet121: { stage: 'features.denseblock3', first: 'features.transition3.norm.weight' },
  mobilenet_v2: { stage: 'features.17', first: 'features.18.0.weight' },
  mobilenet_v3_small: { stage: 'features', first: 'classifier.0.weight' },
  mnasnet1_0: { stage: 'layers.13', first: 'layers.14.weight' },
  shufflenet_v2_x1_0: { stage: 'stage4', first: 'conv5.0.weight' },
  efficientnet_b0: { stage: 'features.7', first: 'features.8.0.weight' },
  efficientnet_lite0: { stage: 'blocks.5', first: 'blocks.6.0.conv_pw.weight' },
  regnet_y_400mf: { stage: 'trunk_output.block3', first: 'trunk_output.block4.block4-0.proj.0.weight' },
  convnext_tiny: { stage: 'features.5', first: 'features.6.0.weight' },
};

for (const [name, { stage, first }] of Object.entries(stages)) {
  test(`${name}: after ${stage} the first to be trained is ${first}`, () => {
    const network = networkOf(name);
    assert.equal(trainedIn(freeze(stage, network), network)[0], first);
  });
}

function refusalOf(what: string, { names, head } = resnet): UserError {
  try {
    freezingOf(what, names, head);
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error;
  }
  return assert.fail(`${what} was accepted`);
}

test('an unknown part is refused, and the parts are listed', () => {
  const { parts } = refusalOf('layer5');
  assert.equal(parts.what, '--freeze=layer5 names no part of the network');
  assert.equal(parts.expected, 'none, backbone, or one of conv1, bn1, layer1, layer2, layer3, layer4');
  for (const what of ['', 'layer', 'layer1.', 'conv1.weight', 'fc.weight', 'relu', 'Backbone', '__proto__']) {
    assert.match(refusalOf(what).message, /names no part/, what);
  }
});

for (const name of [...Object.keys(stages), 'resnet18']) {
  test(`${name}: every part that is listed can be frozen`, () => {
    const network = networkOf(name);
    const { expected = '' } = refusalOf('nothing', network).parts;
    const listed = expected.replace('none, backbone, or one of ', '').split(', ');
    assert.ok(listed.length > 3, `only ${listed}`);
    for (const part of listed) assert.ok(trainedIn(freeze(part, network), network).length >= 2, part);
  });
}

test('nothing left to train is refused', () => {
  assert.throws(
    () => freeze('fc'),
    (error) => error instanceof UserError && /fc leaves nothing/.test(error.message),
  );
  const withoutStatistics = ['conv', 'fc'].map((name) => ({ name: `${name}.weight`, trainable: true }));
  const network = { names: [...withoutStatistics, { name: 'bn.running_mean', trainable: false }], head: 'fc' };
  assert.throws(() => freeze('fc', network), /leaves nothing to train/);
});
