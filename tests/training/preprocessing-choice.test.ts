import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelNames } from '#src/models/registry.js';
import { preprocessingFor } from '#src/training/preprocessing-choice.js';

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const halves = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

test('auto is what the published weights were evaluated with', () => {
  assert.deepEqual(preprocessingFor('auto', 'resnet18'), {
    ...imagenet,
    resize: 256,
    crop: 224,
    interpolation: 'bilinear',
  });
  assert.deepEqual(preprocessingFor('auto', 'inception_v3'), {
    ...halves,
    resize: 342,
    crop: 299,
    interpolation: 'bilinear',
  });
  assert.deepEqual(preprocessingFor('auto', 'efficientnet_b3'), {
    ...imagenet,
    resize: 320,
    crop: 300,
    interpolation: 'bicubic',
  });
});

test('every model has a preprocessing of its own', () => {
  for (const name of modelNames()) {
    const { resize, crop } = preprocessingFor('auto', name);
    assert.ok(crop >= 224 && resize >= crop, name);
  }
});

test('the other choices are the same for every model', () => {
  const usual = { resize: 256, crop: 224, interpolation: 'bilinear' };
  for (const name of ['resnet18', 'inception_v3']) {
    assert.deepEqual(preprocessingFor('resnet', name), { ...usual, ...imagenet });
    assert.deepEqual(preprocessingFor('inception', name), { ...usual, ...halves });
    assert.deepEqual(preprocessingFor('none', name), { ...usual, mean: [0, 0, 0], std: [1, 1, 1] });
  }
});
