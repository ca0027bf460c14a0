import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '#src/errors.js';
import { mapOriginalNames } from '#src/weights/original-names.js';
import type { StateDict } from '#src/weights/state-dict.js';

const named = (...names: string[]): StateDict =>
  new Map(names.map((name, index) => [name, { shape: [1], data: Float32Array.of(index) }]));

test('positions become torchvision’s names, each with its own tensor', () => {
  const names: Record<string, string> = {
    'pretrained.0.weight': 'conv1.weight',
    'pretrained.1.running_mean': 'bn1.running_mean',
    'pretrained.4.0.conv1.weight': 'layer1.0.conv1.weight',
    'pretrained.5.0.downsample.1.bias': 'layer2.0.downsample.1.bias',
    'pretrained.6.22.bn3.running_var': 'layer3.22.bn3.running_var',
    'pretrained.7.2.conv3.weight': 'layer4.2.conv3.weight',
    'my_new_layers.1.weight': 'fc.weight',
    'my_new_layers.1.bias': 'fc.bias',
  };
  const mapped = mapOriginalNames(named(...Object.keys(names)), 'a.pt');
  assert.deepEqual([...mapped], [...named(...Object.values(names))]);
});

test('other names are left alone', () => {
  const weights = named('conv1.weight', 'pretrained.weight', 'features.0.weight');
  assert.equal(mapOriginalNames(weights, 'a.pt'), weights);
});

for (const stranger of ['pretrained.3.weight', 'my_new_layers.2.bias', 'conv1.weight', 'pretrained.12.weight']) {
  test(`${stranger} is not of an original ResNet`, () => {
    assert.throws(
      () => mapOriginalNames(named('pretrained.0.weight', stranger), 'a.pt'),
      (error: Error) =>
        error instanceof UserError && error.message.includes(`a.pt`) && error.message.includes(stranger),
    );
  });
}
