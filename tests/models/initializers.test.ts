// From what the layers of the older networks are drawn: each network as its torchvision namesake.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Initializer } from '#src/models/parameters.js';
import { findModel } from '#src/models/registry.js';
import { structureOf } from '#src/models/structure.js';

const zeros: Initializer = { kind: 'constant', value: 0 };
const uniform = (bound: number): Initializer => ({ kind: 'uniform', bound });
const normal = (variance: number): Initializer => ({ kind: 'normal', std: Math.sqrt(variance) });
const truncated = (std: number): Initializer => ({ kind: 'truncated-normal', std });

const expected: Readonly<Record<string, Readonly<Record<string, Initializer>>>> = {
  alexnet: {
    // PyTorch's own: 1 / sqrt(fan-in).
    'features.3.weight': uniform(1 / Math.sqrt(64 * 5 * 5)),
    'features.3.bias': uniform(1 / Math.sqrt(64 * 5 * 5)),
    'classifier.1.weight': uniform(1 / Math.sqrt(9216)),
    'classifier.6.bias': uniform(1 / Math.sqrt(4096)),
  },
  vgg16_bn: {
    // He by fan-out.
    'features.3.weight': normal(2 / (64 * 3 * 3)),
    'features.3.bias': zeros,
    'features.4.weight': { kind: 'constant', value: 1 },
    'classifier.0.weight': normal(0.01 ** 2),
    'classifier.6.bias': zeros,
  },
  squeezenet1_1: {
    // He by fan-in, uniform.
    'features.3.squeeze.weight': uniform(Math.sqrt(6 / 64)),
    'features.3.expand3x3.weight': uniform(Math.sqrt(6 / (16 * 3 * 3))),
    'features.3.expand3x3.bias': zeros,
    'classifier.1.weight': normal(0.01 ** 2),
    'classifier.1.bias': zeros,
  },
  densenet121: {
    // He by fan-in.
    'features.conv0.weight': normal(2 / (3 * 7 * 7)),
    'features.denseblock1.denselayer2.conv1.weight': normal(2 / 96),
    'features.transition1.conv.weight': normal(2 / 256),
    'classifier.weight': uniform(1 / Math.sqrt(1024)),
    'classifier.bias': zeros,
  },
  googlenet: {
    'inception3a.branch2.1.conv.weight': truncated(0.01),
    'fc.weight': truncated(0.01),
    'fc.bias': uniform(1 / Math.sqrt(1024)),
  },
  inception_v3: {
    'Mixed_6b.branch7x7_2.conv.weight': truncated(0.1),
    'fc.weight': truncated(0.1),
    'fc.bias': uniform(1 / Math.sqrt(2048)),
  },
};

for (const [name, layers] of Object.entries(expected)) {
  test(`${name} is drawn as torchvision draws it`, () => {
    const model = findModel(name);
    assert.ok(model);
    const { parameters } = structureOf(model, { classes: 5, crop: 224 });
    const initializers = new Map(parameters.all.map(({ spec }) => [spec.name, spec.initializer]));
    for (const [tensor, initializer] of Object.entries(layers)) {
      const found = initializers.get(tensor);
      assert.ok(found, tensor);
      assert.equal(found.kind, initializer.kind, tensor);
      const [value = Number.NaN] = numbersOf(found);
      const [wanted = Number.NaN] = numbersOf(initializer);
      assert.ok(Math.abs(value - wanted) <= 1e-12, `${tensor}: ${value}, not ${wanted}`);
    }
  });
}

const numbersOf = (initializer: Initializer) => Object.values(initializer).filter((part) => typeof part === 'number');
