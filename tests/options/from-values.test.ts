import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readValues } from '#src/options/from-values.js';
import { trainOptions } from '#src/options.js';

const read = (values: object) => readValues(trainOptions, values as Record<string, unknown>, { without: 'config' });

test('values are taken as they are or as text, and what is undefined as left out', () => {
  const { values, given } = read({
    epochs: 3,
    lr: '1e-4',
    wandb: false,
    pretrained: 'no',
    model: undefined,
    resume: true,
  });
  assert.deepEqual([...given], ['epochs', 'lr', 'wandb', 'pretrained', 'resume']);
  const { epochs, lr, wandb, pretrained, model, resume } = values;
  assert.deepEqual(
    { epochs, lr, wandb, pretrained, model, resume },
    { epochs: 3, lr: 1e-4, wandb: false, pretrained: false, model: 'resnet101', resume: 'last' },
  );
});

test('times and amounts of memory are texts with units, or numbers of seconds and megabytes', () => {
  for (const time_limit of ['90m', 5400, '01:30:00']) assert.equal(read({ time_limit }).values.time_limit, 5400);
  for (const gpu_memory_limit of ['8G', 8192]) assert.equal(read({ gpu_memory_limit }).values.gpu_memory_limit, 8192);
});

test('all defaults can be given again', () => {
  const { values } = read({});
  assert.deepEqual(read(values).values, values);
});

test('mistakes are named, with what was expected', () => {
  const mistakes: [object, RegExp][] = [
    [{ epochs: 0 }, /^Bad value for epochs: expected an integer, 1 or more, found '0'\.$/],
    [{ epohcs: 1 }, /^Unknown option epohcs\. Did you mean epochs\? /],
    [{ 'batch-size': 1 }, /Did you mean batch_size\?/],
    [{ config: 'run.yaml' }, /^Unknown option config\./],
    [{ lr: null }, /^Bad value for lr: expected a number above 0, found null\.$/],
    [{ lr: [1] }, /found an array\.$/],
    [{ time_limit: '90' }, /^Bad value for time_limit/],
    [{ epochs: Number.NaN }, /^Bad value for epochs/],
    [{ schedule: 'cosin' }, /Did you mean cosine\?/],
  ];
  for (const [values, message] of mistakes) assert.throws(() => read(values), { name: 'UserError', message });
});
