// Every model of the registry has torchvision's parameters: their names, shapes, order and number.
//
// torchvision.json holds, for each model, the number of trainable parameters with ImageNet's 1000 classes (as torchvision's
// documentation gives it) and, where known, what state_dict() holds with five: the number of tensors without
// num_batches_tracked, and the SHA-256 of the lines `name:size,size,...` in its order.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Graph } from '#src/graph/graph.js';
import { placeholder } from '#src/graph/ops/source.js';
import { Module } from '#src/models/module.js';
import { type Parameter, ParameterStore, Reads } from '#src/models/parameters.js';
import { findModel, modelNames } from '#src/models/registry.js';
import { buildStepGraph } from '#src/training/step-graph.js';

interface Structure {
  imagenetParams: number;
  fiveClasses?: { params: number; tensors: number; sha256: string };
}

// Compiled tests lie in build/tests/models, what they read in tests/models.
const file = new URL('../../../tests/models/torchvision.json', import.meta.url);
const structures = new Map(Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Structure>));

function modelOf(name: string) {
  const model = findModel(name);
  assert.ok(model);
  return model;
}

function parametersOf(name: string, classes: number): readonly Parameter[] {
  const graph = new Graph();
  const parameters = new ParameterStore(graph);
  const root = new Module({ parameters, training: false, reads: new Reads(), statistics: [] });
  const logits = modelOf(name).build(root, placeholder(graph, 'images', 'float32', [null, 224, 224, 3]), classes);
  assert.deepEqual(logits.shape, [null, classes]);
  return parameters.all;
}

const trainableCount = (parameters: readonly Parameter[]) =>
  parameters.filter(({ spec }) => spec.trainable).reduce((total, { size }) => total + size, 0);

test('every model has its facts, and every fact its model', () => {
  assert.deepEqual([...modelNames()].sort(), [...structures.keys()].sort());
  assert.equal(findModel('resnet19'), undefined);
});

for (const name of modelNames()) {
  const facts = structures.get(name);

  test(`${name} has torchvision's number of parameters`, () => {
    assert.equal(trainableCount(parametersOf(name, 1000)), facts?.imagenetParams);
  });

  if (facts?.fiveClasses) {
    const { params, tensors, sha256 } = facts.fiveClasses;
    test(`${name} has torchvision's names and shapes in torchvision's order`, () => {
      const parameters = parametersOf(name, 5);
      assert.equal(parameters.length, tensors);
      assert.equal(trainableCount(parameters), params);
      const lines = parameters.map(({ name: tensor, spec }) => `${tensor}:${spec.shape.join(',')}`);
      assert.equal(createHash('sha256').update(lines.join('\n')).digest('hex'), sha256);
    });
  }

  test(`${name}: every trainable parameter gets a gradient, and its head is the last of them`, () => {
    const model = modelOf(name);
    const input = { crop: 80, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
    const { parameters, signatures, optimizer } = buildStepGraph({
      model,
      classes: 5,
      input,
      optimizer: { kind: 'adam' },
    });
    const trainable = parameters.filter(({ spec }) => spec.trainable).map((parameter) => parameter.name);
    assert.deepEqual(Object.keys(signatures.gradients.outputs).sort(), [...trainable].sort());
    const updated = new Set(
      optimizer.slots.flatMap(({ storage }) => storage.parameters.map((parameter) => parameter.name)),
    );
    assert.deepEqual([...updated].sort(), [...trainable].sort());
    for (const { name: parameter, spec } of parameters.filter(({ spec: { trainable: trained } }) => trained)) {
      assert.deepEqual(signatures.gradients.outputs[parameter]?.shape, spec.shape, parameter);
    }
    const head = parameters.filter((parameter) => parameter.name.startsWith(`${model.head}.`));
    assert.deepEqual(
      head.map(({ spec }) => spec.shape[0]),
      [5, 5],
    );
    assert.deepEqual(parameters.slice(-2), head);
  });
}
