// resnet18 against torchvision's numbers, and against them with mistakes that must be noticed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Model } from '#src/models/model.js';
import { Module } from '#src/models/module.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compareLosses, compareModel, type Measurement } from '../../scripts/parity/compare.js';
import type { Reference } from '../../scripts/parity/reference.js';

// Compiled tests lie in build/tests/parity, what they read in tests/parity.
const file = new URL('../../../tests/parity/resnet18.json', import.meta.url);
const reference = JSON.parse(readFileSync(file, 'utf8')) as Reference;
const { sgd: _, adam: __, ...untrained } = reference;
const runtime = await openRuntime('cpu');
const resnet18 = findModel('resnet18') as Model;

const tooFar = (measurements: readonly Measurement[]) =>
  measurements.filter(({ error, tolerance }) => !(error <= tolerance)).map(({ what }) => what);

test('resnet18 agrees with torchvision', async () => {
  const measurements = await compareModel(runtime, resnet18, reference);
  assert.deepEqual(
    measurements.map(({ what }) => what),
    [
      'names, shapes, order',
      'parameters',
      'logits',
      'gradients',
      ...[1, 2, 3, 4, 5].map((step) => `SGD loss ${step}`),
      'running statistics',
      ...[1, 2, 3, 4, 5].map((step) => `Adam loss ${step}`),
    ],
  );
  for (const { what, error, tolerance } of measurements) assert.ok(error <= tolerance, `${what}: ${error}`);
});

test('another epsilon in batch norm is too far', async (t) => {
  const { batchNorm } = Module.prototype;
  t.mock.method(
    Module.prototype,
    'batchNorm',
    function (this: Module, ...[name, x, layer]: Parameters<typeof batchNorm>) {
      return batchNorm.call(this, name, x, { ...layer, epsilon: 1e-4 });
    },
  );
  assert.ok(tooFar(await compareModel(runtime, resnet18, untrained)).includes('logits'));
});

test('another momentum in batch norm is too far', async (t) => {
  const { batchNorm } = Module.prototype;
  t.mock.method(
    Module.prototype,
    'batchNorm',
    function (this: Module, ...[name, x, layer]: Parameters<typeof batchNorm>) {
      return batchNorm.call(this, name, x, { ...layer, momentum: 0.11 });
    },
  );
  const { adam: ___, ...sgdOnly } = reference;
  assert.deepEqual(tooFar(await compareModel(runtime, resnet18, sgdOnly)), ['running statistics']);
});

test('one more parameter is too far', async () => {
  const model: Model = {
    ...resnet18,
    build: (m, images, classes) => m.linear('extra', resnet18.build(m, images, classes), classes),
  };
  const found = tooFar(await compareModel(runtime, model, untrained));
  assert.deepEqual(found.slice(0, 3), ['names, shapes, order', 'parameters', 'logits']);
});

test('losses are compared with each other, and vanished ones with the first', () => {
  const compared = compareLosses('SGD', [2.2, 1, 0.0002], [2, 1, 0.0001], [0.2, 0.1, 0.01]);
  assert.deepEqual(
    compared.map(({ what }) => what),
    ['SGD loss 1', 'SGD loss 2', 'SGD loss 3'],
  );
  const errors = compared.map(({ error }) => error);
  for (const [index, expected] of [0.1, 0, 0.005].entries()) {
    assert.ok(Math.abs((errors[index] ?? Number.NaN) - expected) < 1e-12, `${errors}`);
  }
  assert.deepEqual(tooFar(compareLosses('Adam', [], [2], [0.1])), ['Adam loss 1']);
});
