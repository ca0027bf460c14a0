import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '#src/errors.js';
import { checkModelName } from '#src/options/model-name.js';

const models = ['resnet18', 'resnet34', 'resnet50', 'resnet101', 'vgg16', 'vgg16_bn', 'densenet121', 'convnext_tiny'];

function refusal(name: string): string {
  try {
    checkModelName(name, models);
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message;
  }
  assert.fail(`${name} was accepted`);
}

test("a model's exact name is accepted", () => {
  for (const name of models) checkModelName(name, models);
});

test('a misspelt name gets the nearest ones, the nearest first', () => {
  assert.equal(
    refusal('resnet19'),
    "Bad value for model: expected one of the networks that `deep-cnn models` lists, found 'resnet19'. " +
      'Did you mean resnet18, resnet34 or resnet50? Otherwise choose from the list.',
  );
  assert.match(refusal('vgg'), /Did you mean vgg16 or vgg16_bn\?/);
  assert.match(refusal('DenseNet-121'), /Did you mean densenet121\?/);
  assert.match(refusal('ResNet50'), /Did you mean resnet50, /);
});

test('a name that is near none gets the list', () => {
  for (const name of ['fasterrcnn', 'constructor', '']) {
    assert.match(refusal(name), /expected one of the networks that `deep-cnn models` lists, found '[a-z]*'\.$/, name);
  }
});

test("a transformer's name is known for what it is", () => {
  for (const name of ['vit_b_16', 'swin_t', 'swin_v2_b', 'maxvit_t', 'vit-h-14', 'ViT_L_32', 'deit_tiny']) {
    assert.equal(
      refusal(name),
      `Bad value for model: '${name}' is a transformer, not a CNN. Choose one of the CNNs that \`deep-cnn models\` lists.`,
    );
  }
  assert.doesNotMatch(refusal('vitals'), /transformer/);
});
