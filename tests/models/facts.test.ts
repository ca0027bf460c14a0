// What is known about the models' weights, against what torchvision publishes with them: published.json is taken from the
// metadata of its weight enumerations.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { modelCost } from '#src/models/cost.js';
import { factsOf, modelsWithFacts } from '#src/models/facts.js';
import { findModel, modelNames } from '#src/models/registry.js';

interface Published {
  weights: string;
  top1: number;
  resize: number;
  crop: number;
  interpolation: string;
  mean: number[];
  std: number[];
  gmacs: number;
  parameters: number;
}

const file = new URL('../../../tests/models/published.json', import.meta.url);
const published = new Map(Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Published>));

/** Those whose images torchvision normalises a second time, inside the network. */
const transformsInput = ['googlenet', 'inception_v3'];
/** torchvision counts the parameters of an auxiliary classifier, which is not part of this network. */
const auxiliaryParameters = new Map([['inception_v3', 3_326_696]]);

test('there are facts about every model, and about no other', () => {
  assert.deepEqual([...modelsWithFacts()].sort(), [...modelNames()].sort());
  assert.throws(() => factsOf('resnet19'), /^Error: internal: there are no facts about the model resnet19$/);
  assert.throws(() => factsOf('constructor'), /internal:/);
});

for (const name of modelsWithFacts()) {
  test(`${name}: sizes, places and licences are sane`, () => {
    const { resize, crop, top1, mean, std, hub, hubNames, pypi, licence } = factsOf(name);
    assert.ok(Number.isInteger(crop) && crop >= 224 && crop <= 600);
    assert.ok(Number.isInteger(resize) && resize >= crop && resize <= 1.2 * crop);
    assert.ok(top1 > 50 && top1 < 90);
    assert.ok([...mean, ...std].every((value) => value > 0.2 && value <= 0.5));
    assert.ok(['BSD-3-Clause', 'Apache-2.0', 'CC-BY-NC-4.0'].includes(licence));
    if (hub !== null) assert.match(hub, /^timm\/[a-z0-9_]+\.[a-z0-9_]+$/);
    if (hubNames === 'torchvision' && hub !== null) assert.equal(hub, `timm/${name}.tv_in1k`);
    if (pypi !== null) assert.match(pypi, /^[a-z0-9-]+$/);
  });

  test(`${name}: the facts are those that torchvision publishes`, () => {
    const expected = published.get(name);
    if (!expected) {
      assert.match(name, /^efficientnet_lite\d$/, 'only these are not from torchvision');
      return;
    }
    const { weights, top1, resize, crop, interpolation, mean, std } = factsOf(name);
    const { gmacs: _, parameters: __, ...comparable } = expected;
    const halves = [0.5, 0.5, 0.5];
    const normalised = transformsInput.includes(name) ? { mean: halves, std: halves } : {};
    assert.deepEqual({ weights, top1, resize, crop, interpolation, mean, std }, { ...comparable, ...normalised });
  });
}

for (const name of modelNames()) {
  test(`${name}: parameters and work counted on the graph are those that torchvision publishes`, () => {
    const model = findModel(name);
    const expected = published.get(name);
    assert.ok(model);
    const { parameters, macs } = modelCost(model, { classes: 1000, crop: factsOf(name).crop });
    if (!expected) {
      // Google's README gives 407, 631 and 899 million.
      assert.match(name, /^efficientnet_lite\d$/);
      assert.ok(macs > 0.35e9 && macs < 0.95e9, `${macs}`);
      return;
    }
    assert.equal(parameters, expected.parameters - (auxiliaryParameters.get(name) ?? 0));
    // Published to three decimals.
    assert.ok(Math.abs(macs / 1e9 - expected.gmacs) < 0.00051, `${macs / 1e9}, not ${expected.gmacs}`);
  });
}
