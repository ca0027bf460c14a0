// Sweeps of the program itself: short trainings of a small network. `npm run test:sweep` runs them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RunDescription } from '#src/reporting/run-description.js';
import { lackOfOptuna, SweepPlace } from './place.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const isFull = process.env['DEEP_CNN_TEST_SWEEP'] === 'full';
const skip = isFull ? ((await lackOfOptuna()) ?? false) : '`npm run test:sweep` runs it';

const places: SweepPlace[] = [];
after(() => {
  for (const place of places) place.remove();
});

const common = `
parameters:
  model: { value: squeezenet1_1 }
  pretrained: { value: False }
  batch_size: { value: 16 }
`;
const sweeps = {
  grid: `method: grid${common}
  epochs: { value: 1 }
  lr: { values: [1e-3, 1e-4, 1e-5, 1e-6] }
  optimizer: { values: [adam, sgd] }
`,
  random: `method: random\nrun_cap: 8${common}
  epochs: { value: 1 }
  lr: { distribution: log_uniform_values, min: 1e-6, max: 1e-2 }
`,
  bayes: `method: bayes\nrun_cap: 8\nmetric: { name: val_precision@1 }\nearly_terminate: { type: hyperband, min_iter: 1 }${common}
  epochs: { value: 2 }
  lr: { distribution: log_uniform_values, min: 1e-6, max: 1e-2 }
`,
};

function program(place: SweepPlace, ...words: string[]) {
  const args = [join(repository, 'dist/cli.js'), 'sweep', ...words, `--root_dir=${place.root}`];
  return spawnSync(process.execPath, args, { encoding: 'utf8', cwd: repository });
}

describe('a sweep of real trainings', { skip }, () => {
  for (const [method, yaml] of Object.entries(sweeps)) {
    it(`by ${method}`, async () => {
      const place = new SweepPlace(method, yaml);
      places.push(place);
      const { status, stdout, stderr } = program(place, place.file, '--data_dir=tests/places_test_input');
      assert.equal(status, 0, stdout + stderr);
      const { trials, attributes } = await place.state();
      assert.equal(trials.length, 8);
      assert.deepEqual(place.toldTwice(), []);
      for (const { number, state, value, attributes } of trials) {
        const { epochs, test } = description(place, `${method}-${number}`);
        assert.equal(test, undefined, 'trials leave the test images alone');
        if (state === 'PRUNED') continue;
        assert.equal(state, 'COMPLETE');
        const losses = epochs.map(({ validation }) => validation?.loss ?? Number.NaN);
        const best = epochs[losses.indexOf(Math.min(...losses))];
        assert.equal(attributes.epoch, best?.epoch);
        assert.equal(value, method === 'bayes' ? best?.validation?.precisionAt1 : best?.validation?.loss);
      }
      assert.equal(attributes.tests?.length, 1);
      assert.equal(attributes.tests[0]?.images, 20);

      const told = program(place, 'status', method);
      assert.match(told.stdout, new RegExp(`^Sweep ${method}: 8 trials told, 0 begun and not told`));
      assert.equal(program(place, 'report', method).status, 0);
      for (const name of ['report.html', 'trials.csv', 'importance.csv'])
        assert.ok(existsSync(join(place.folder, name)));
    });
  }
});

function description(place: SweepPlace, run: string): RunDescription {
  const folder = join(place.root, 'outputs', 'results');
  const name = readdirSync(folder).find((name) => name.startsWith(`${run}2`) && name.endsWith('.json'));
  return JSON.parse(readFileSync(join(folder, name ?? 'missing'), 'utf8')) as RunDescription;
}
