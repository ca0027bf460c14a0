// timm-names.json holds what timm 1.0.31 calls the tensors of networks that torchvision has too: `name:size,size,...`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { factsOf } from '#src/models/facts.js';
import { findModel } from '#src/models/registry.js';
import { structureOf } from '#src/models/structure.js';
import { compareWeights, fitWeights } from '#src/weights/fit-weights.js';
import type { StateDict } from '#src/weights/state-dict.js';
import { mapTimmNames } from '#src/weights/timm-names.js';

const file = new URL('../../../tests/weights/timm-names.json', import.meta.url);
const named = new Map(Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string[]>));

function timmWeights(model: string): StateDict {
  return new Map(
    named.get(model)?.map((line, index) => {
      const [name = '', sizes = ''] = line.split(':');
      const shape = sizes.split(',').map(Number);
      // What is in it shows that it was moved, and how.
      return [name, { shape, data: Float32Array.of(index) }];
    }),
  );
}

function parametersOf(name: string) {
  const model = findModel(name);
  assert.ok(model);
  const { parameters } = structureOf(model, { classes: 1000, crop: 224 });
  return parameters.all.map(({ spec }) => spec);
}

for (const model of named.keys()) {
  test(`${model}: timm's tensors are torchvision's, each with its shape`, () => {
    assert.equal(factsOf(model).hubNames, 'timm');
    const given = timmWeights(model);
    const mapped = mapTimmNames(given);
    assert.deepEqual(compareWeights(parametersOf(model), mapped), { missing: [], unexpected: [], misshapen: [] });
    assert.deepEqual(
      [...mapped.values()].map(({ data }) => data),
      [...given.values()].map(({ data }) => data),
    );
    assert.equal(mapTimmNames(mapped), mapped, "torchvision's names stay");
  });
}

test('layers go where they do the same work', () => {
  const moved = (model: string, from: string, to: string) => {
    const given = timmWeights(model);
    const value = given.get(from)?.data;
    assert.ok(value, from);
    assert.equal(mapTimmNames(given).get(to)?.data, value, `${from} -> ${to}`);
  };
  moved('vgg11_bn', 'pre_logits.fc2.bias', 'classifier.3.bias');
  moved('vgg11_bn', 'features.26.running_var', 'features.26.running_var');
  moved('regnet_y_400mf', 'stem.bn.running_mean', 'stem.1.running_mean');
  moved('regnet_y_400mf', 's2.b1.downsample.bn.bias', 'trunk_output.block2.block2-0.proj.1.bias');
  moved('regnet_y_400mf', 's2.b3.se.fc2.weight', 'trunk_output.block2.block2-2.f.se.fc2.weight');
  moved('regnet_y_400mf', 's4.b6.conv3.conv.weight', 'trunk_output.block4.block4-5.f.c.0.weight');
  moved('efficientnet_b0', 'bn1.weight', 'features.0.1.weight');
  moved('efficientnet_b0', 'blocks.0.0.conv_pw.weight', 'features.1.0.block.2.0.weight');
  moved('efficientnet_b0', 'blocks.5.3.se.conv_reduce.bias', 'features.6.3.block.2.fc1.bias');
  moved('efficientnet_b0', 'blocks.6.0.bn2.running_var', 'features.7.0.block.1.1.running_var');
  moved('efficientnet_b0', 'bn2.bias', 'features.8.1.bias');
});

test('they fit a network, whose head is drawn anew for other classes', () => {
  const given = timmWeights('vgg11_bn');
  const expected = parametersOf('vgg11_bn');
  const place = { head: 'classifier.6', source: 'a file' };
  const { weights, replacedHead } = fitWeights(expected, given, place);
  assert.equal(replacedHead, false);
  assert.deepEqual(
    [...weights.keys()],
    expected.map(({ name }) => name),
  );
  const fiveClasses = expected.map(({ name, shape }) =>
    name.startsWith('classifier.6.') ? { name, shape: [5, ...shape.slice(1)] } : { name, shape },
  );
  const fitted = fitWeights(fiveClasses, given, place);
  assert.equal(fitted.replacedHead, true);
  assert.equal(fitted.weights.size, expected.length - 2);
});

test('names of EfficientNet-Lite are left alone', () => {
  const weights: StateDict = new Map([
    ['conv_stem.weight', { shape: [1], data: Float32Array.of(1) }],
    ['blocks.0.0.conv_dw.weight', { shape: [1], data: Float32Array.of(2) }],
  ]);
  assert.equal(mapTimmNames(weights), weights);
});
