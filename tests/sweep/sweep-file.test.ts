import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { UserError } from '#src/errors.js';
import { readValues } from '#src/options/from-values.js';
import { trainOptions } from '#src/options.js';
import { samplerFor, spaceOf } from '#src/sweep/definition.js';
import { planSweep } from '#src/sweep/plan.js';
import { readSweepFile } from '#src/sweep/sweep-file.js';

const folder = mkdtempSync(join(tmpdir(), 'sweep-file-'));
after(() => rmSync(folder, { recursive: true }));

function plan(yaml: string, options: Readonly<Record<string, unknown>> = {}) {
  const path = join(folder, 'sweep.yaml');
  writeFileSync(path, yaml);
  const { values, given } = readValues(trainOptions, { data_dir: folder, ...options });
  const modelNames = ['resnet101', 'resnet18'];
  return planSweep(readSweepFile(path), { values, given, modelNames, runCap: undefined, storage: undefined });
}

const only = (parameter: string, rest = 'method: random\nrun_cap: 3') => `${rest}\nparameters:\n  ${parameter}\n`;

describe('a sweep file', () => {
  it('becomes what Optuna is asked for', () => {
    const { definition, options } = plan(
      `method: bayes
metric: { name: val_precision@1, goal: maximize }
run_cap: 7
parameters:
  model: { value: resnet18 }
  lr: { distribution: log_uniform_values, min: 1e-5, max: 1e-2 }
  batch_size: { values: [32, 64] }
  label_smoothing: { min: 0.0, max: 0.2 }
  seed: { min: 1, max: 9 }
  weight_decay: { distribution: log_uniform, min: -4, max: 0 }
  epochs: { distribution: q_uniform, min: 2, max: 10, q: 4 }
`,
      { optimizer: 'sgd' },
    );
    assert.equal(definition.runCap, 7);
    assert.equal(definition.metric, 'val_precision@1');
    assert.deepEqual(spaceOf(definition), {
      batch_size: { name: 'CategoricalDistribution', attributes: { choices: [32, 64] } },
      epochs: { name: 'IntDistribution', attributes: { low: 2, high: 10, step: 4, log: false } },
      label_smoothing: { name: 'FloatDistribution', attributes: { low: 0, high: 0.2, step: null, log: false } },
      lr: { name: 'FloatDistribution', attributes: { low: 1e-5, high: 1e-2, step: null, log: true } },
      seed: { name: 'IntDistribution', attributes: { low: 1, high: 9, step: 1, log: false } },
      weight_decay: { name: 'FloatDistribution', attributes: { low: Math.exp(-4), high: 1, step: null, log: true } },
    });
    assert.deepEqual(samplerFor(definition, 3), { name: 'TPESampler', kwargs: { seed: 45 } });
    assert.ok(definition.parameters.some(({ name, where }) => name === 'optimizer' && where === '--optimizer'));
    assert.ok(options.includes(`--data_dir=${folder}`));
  });

  it('makes a grid of lists and steps', () => {
    const { definition } = plan(
      'method: grid\nparameters:\n  lr: { values: [0.1, 0.01] }\n  warmup: { min: 0, max: 2 }\n',
    );
    assert.equal(definition.runCap, 6);
    const { kwargs } = samplerFor(definition, 5);
    assert.deepEqual(kwargs, { search_space: { lr: [0.1, 0.01], warmup: [0, 1, 2] }, seed: 42 });
  });

  const mistakes: [yaml: string, message: RegExp, options?: Record<string, unknown>][] = [
    ['method: random', /parameters are missing/],
    [only('lr: { value: 1 }', 'method: bayse'), /Bad value for method .*line 1.*Did you mean bayes/],
    [only('lr: { value: 1 }', 'run_cap: 3'), /method is missing/],
    [only('lr: { value: 1 }', 'method: random'), /needs a number of trials\. Give run_cap/],
    [only('lr: { value: 1 }', 'method: random\nrun_cap: 0'), /Bad value for run_cap/],
    [only('lr: { value: 1 }', 'method: random\nprogram: a.py'), /Unknown key program .*Leave it out/],
    [only('lr: { value: 1 }', 'method: random\nparmeters: 1'), /Unknown key parmeters .*Did you mean parameters/],
    [only('learning_rate: { value: 1 }'), /Unknown option learning_rate \(.*line 4\)/],
    [only('labelsmoothing: { value: 1 }'), /Did you mean label_smoothing/],
    [only('run_name: { value: a }'), /The sweep itself decides about run_name/],
    [only('test: { value: True }'), /The sweep itself decides about test/],
    [only('lr: { value: fast }'), /Bad value for lr .*expected a number above 0, found 'fast'/],
    [only('lr: { values: [0.1, -1] }'), /Bad value for lr .*found '-1'/],
    [only('lr: { values: [] }'), /has no values/],
    [only('lr: { values: [0.1, 1e-1] }'), /has a value twice: found 0.1/],
    [only('lr: { min: 1, max: 1 }'), /has no range: expected min below max/],
    [only('lr: { min: 0.1 }'), /lacks max/],
    [only('lr: { values: [1], min: 1 }'), /Bad value for lr .*expected values for categorical, found min/],
    [only('lr: { distribution: normal, mu: 1 }'), /unknown key 'mu'/],
    [only('lr: { distribution: log_uniform_value, min: 1, max: 2 }'), /Did you mean log_uniform_values/],
    [only('label_smoothing: { distribution: log_uniform_values, min: 0, max: 0.5 }'), /no logarithm/],
    [only('batch_size: { min: 16.0, max: 64.0 }'), /takes whole numbers only/],
    [only('epochs: { distribution: q_uniform, min: 1, max: 10, q: 4 }'), /do not end at max.*Take 9 as max/],
    [only('model: { min: 1, max: 2 }'), /is no number.*List its values/],
    [only('model: { values: [resnet18, resnet20] }'), /^model .*resnet20: .*resnet18/],
    [only('optimizer: { values: [adam, sdg] }'), /Did you mean sgd/],
    [only('warmup: { values: [0, 5] }'), /^warmup .*, 5: Bad value for warmup: expected fewer/, { epochs: 3 }],
    [only('lr: { value: 1 }'), /lr .* is given on the command line, too/, { lr: 0.1 }],
    [only('lr: { value: 1 }'), /decides about --run_name/, { run_name: 'a' }],
    [only('val_split: { value: 0 }'), /no validation images to choose by/],
    [only('lr: { min: 0.1, max: 0.2 }', 'method: grid'), /no end of values for a grid/],
    [only('lr: { value: 1 }', 'method: random\nmetric: { name: test_loss }'), /chosen by validation images/],
    [only('lr: { value: 1 }', 'method: random\nmetric: { name: val_loss, goal: maximize }'), /expected minimize/],
    [only('lr: { value: 1 }', 'method: random\nearly_terminate: { type: envelope }'), /one of hyperband, asha, median/],
    [only('lr: { value: 1 }', 'method: random\nearly_terminate: { type: median, eta: 2 }'), /says nothing of median/],
    [only('optimizer: { parameters: { name: { value: a } } }'), /Bad value for parameters .*a single value/],
    [only('lr: 0.1'), /lr .* has no keys/],
    [only('lr: { value: 1 }', 'method: random\nrun_cap: 1\nstorage: optuna.db'), /Bad value for storage/],
    [only('lr: { value: 1 }', 'method: random\nrun_cap: 1\nstorage: postgresql://me:pw@db/x'), /holds a password/],
  ];
  for (const [yaml, message, options] of mistakes) {
    it(`is refused: ${message.source}`, () => {
      assert.throws(
        () => plan(yaml, options),
        (error: Error) => {
          assert.ok(error instanceof UserError, String(error.stack));
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});
