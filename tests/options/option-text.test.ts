// An option as text means the same when it is read again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignmentText, optionText, valueText } from '#src/options/option-text.js';
import { trainOptions } from '#src/options.js';

test('a value is written as the command line takes it', () => {
  const values = [
    ['epochs', 3, '3'],
    ['lr', 1e-7, '1e-7'],
    ['wandb', true, 'True'],
    ['pretrained', false, 'False'],
    ['time_limit', 5400, '5400s'],
    ['gpu_memory_limit', 8192, '8192m'],
    ['data_dir', '/a b', '/a b'],
  ] as const;
  for (const [name, value, text] of values) {
    assert.equal(valueText(name, value), text);
    assert.deepEqual(optionText(name, value), [`--${name}=${text}`]);
    assert.equal(trainOptions[name].parse(text), value);
  }
});

test('what is as if it were not given is none, and no argument', () => {
  for (const absent of [undefined, null]) assert.equal(valueText('weights', absent), 'none');
  assert.deepEqual(optionText('weights', undefined), []);
});

test('in a line with others, texts that are no plain word are in quotes', () => {
  assert.equal(assignmentText('model', 'resnet18'), 'model=resnet18');
  assert.equal(assignmentText('weights', undefined), 'weights=none');
  assert.equal(assignmentText('exif', true), 'exif=True');
  for (const text of ['/a b', 'a,b', 'a=b', '"', "it's", '', '\n']) {
    assert.equal(assignmentText('data_dir', text), `data_dir=${JSON.stringify(text)}`);
  }
});
