// Sweeps by Optuna itself, with a stand-in for training. `npm run test:sweep` runs all of them; `npm test` a short form.

import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { lackOfOptuna, SweepPlace } from './place.js';

const lack = await lackOfOptuna();
const isFull = process.env['DEEP_CNN_TEST_SWEEP'] === 'full';
const skip = lack ?? false;
const onlyFull = lack ?? (isFull ? false : '`npm run test:sweep` runs it');

const places: SweepPlace[] = [];
after(() => {
  for (const place of places) place.remove();
});

function placeOf(name: string, yaml: string): SweepPlace {
  const place = new SweepPlace(name, yaml);
  places.push(place);
  return place;
}

const ranges = `
parameters:
  epochs: { value: 2 }
  lr: { distribution: log_uniform_values, min: 1e-5, max: 1e-1 }
  label_smoothing: { values: [0, 0.1] }
`;

/** Keeps the stand-in from ending an epoch. Returns what lets it go on. */
function hold(place: SweepPlace): () => void {
  const path = join(place.root, 'outputs', 'hold');
  mkdirSync(join(place.root, 'outputs'));
  writeFileSync(path, '');
  return () => rmSync(path);
}

/** All trials are told, each once, and no two processes worked on one at once. */
async function requireWhole(place: SweepPlace, trials: number) {
  const state = await place.state();
  assert.deepEqual(
    state.trials.map(({ number }) => number),
    Array.from({ length: trials }, (_, index) => index),
  );
  assert.deepEqual(place.toldTwice(), []);
  assert.deepEqual(place.recorded('overlaps'), []);
  assert.ok(state.trials.every((trial) => ['COMPLETE', 'PRUNED', 'FAIL'].includes(trial.state)));
  return state;
}

describe('a sweep', { concurrency: 2 }, () => {
  it('visits each point of a grid once, and tests the best one', { skip }, async () => {
    const smoothing = isFull ? [0, 0.1] : [0.1];
    const yaml = `method: grid\nparameters:\n  lr: { values: [1e-2, 1e-3] }\n  label_smoothing: { values: [${smoothing}] }\n`;
    const place = placeOf('grid', yaml);
    const { code, output } = await place.run();
    assert.equal(code, 0, output);
    const expected = [0.001, 0.01].flatMap((rate) => smoothing.map((share) => `${rate} ${share}`));
    const { trials, attributes } = await requireWhole(place, expected.length);
    const points = trials.map(({ params }) => `${params['lr']} ${params['label_smoothing']}`);
    assert.deepEqual(points.sort(), expected);
    const best = trials.find(({ params }) => params['lr'] === 0.001 && params['label_smoothing'] === smoothing[0]);
    assert.equal(best?.value, 0.5 + (smoothing[0] ?? 0));
    assert.equal(best.attributes.epoch, 2);
    assert.deepEqual(
      attributes.tests?.map(({ trial }) => trial),
      [best.number],
    );
    assert.deepEqual(place.recorded('tests'), [`grid-${best.number}`]);
    const starts = place.recorded('starts').map((line) => JSON.parse(line) as Record<string, string>);
    assert.ok(starts.every(({ test, resume }) => test === 'False' && resume === 'auto'));
    assert.deepEqual(
      place.files().filter((name) => /lock|rename/.test(name)),
      [],
      'no lock stays',
    );

    const again = await place.run();
    assert.equal(again.code, 0);
    assert.equal(place.recorded('starts').length, expected.length, 'nothing is trained once more');
    assert.equal(place.recorded('tests').length, 1, 'nothing is tested once more');
  });

  it('draws other values for each trial, and more trials with a larger run_cap', { skip: onlyFull }, async () => {
    for (const method of ['random', 'bayes']) {
      const place = placeOf(method, `method: ${method}\nrun_cap: 10\nseed: 3\n${ranges}`);
      const { code, output } = await place.run();
      assert.equal(code, 0, output);
      const { trials } = await requireWhole(place, 10);
      const rates = trials.map(({ params }) => Number(params['lr']));
      assert.equal(new Set(rates).size, 10);
      assert.ok(rates.every((rate) => rate >= 1e-5 && rate <= 1e-1));
      assert.equal((await place.run({ run_cap: '12' })).code, 0);
      await requireWhole(place, 12);
    }
  });

  it('tries a trial that fails again, and stops where one after another fails', { skip: onlyFull }, async () => {
    const place = placeOf('failing', `method: random\nrun_cap: 6\nretries: 1\n${ranges}`);
    const fails = { STAND_IN_FAILS: 'failing-1,failing-3,failing-4,failing-5' };
    const { code, output } = await place.run({}, fails);
    assert.equal(code, 2);
    assert.match(output, /3 trials in a row failed/);
    const { trials } = await requireWhole(place, 6);
    assert.deepEqual(
      trials.map(({ state }) => state),
      ['COMPLETE', 'FAIL', 'COMPLETE', 'FAIL', 'FAIL', 'FAIL'],
    );
    assert.deepEqual(trials[1]?.attributes.failures, ['exit code 1', 'exit code 1']);
    assert.equal(place.recorded('starts').filter((line) => line.includes('failing-1')).length, 2);
  });

  it('saves and ends with 75 when it is stopped, and goes on', { skip: onlyFull }, async () => {
    const place = placeOf('stopped', `method: random\nrun_cap: 3\n${ranges}`);
    const goOn = hold(place);
    const worker = place.start();
    while (place.recorded('starts').length === 0) await sleep(50);
    worker.process.kill('SIGTERM');
    const { code, output } = await worker.ended;
    goOn();
    assert.equal(code, 75, output);
    assert.match(output, /was stopped by SIGTERM; the same command goes on with it/);
    assert.equal((await place.state()).trials[0]?.state, 'RUNNING');
    assert.equal((await place.run()).code, 0);
    const { trials } = await requireWhole(place, 3);
    assert.ok(trials.every(({ attributes }) => attributes.failures === undefined));
  });

  for (const early of ['type: asha, min_iter: 1, eta: 2', 'type: median, min_iter: 1']) {
    it(`prunes trials that are not worth going on with (${early})`, { skip: onlyFull }, async () => {
      const ranges = 'epochs: { value: 6 }\n  lr: { distribution: log_uniform_values, min: 1e-5, max: 1e-1 }';
      const yaml = `method: random\nrun_cap: 10\nseed: 1\nearly_terminate: { ${early} }\nparameters:\n  ${ranges}\n`;
      const place = placeOf(early.slice(6, 10), yaml);
      const { code, output } = await place.run({}, { STAND_IN_EPOCH_MS: '700' });
      assert.equal(code, 0, output);
      const { trials } = await requireWhole(place, 10);
      const pruned = trials.filter(({ state }) => state === 'PRUNED');
      assert.ok(pruned.length > 0);
      for (const { attributes, reports } of pruned) {
        assert.ok((attributes.pruned_after ?? 6) < 6);
        assert.ok(Object.keys(reports).length >= 1);
      }
      const worths = trials.flatMap(({ state, value }) => (state === 'COMPLETE' ? [Number(value)] : []));
      assert.equal(worths.length + pruned.length, 10);
    });
  }

  it('refuses to go on as another sweep', { skip: onlyFull }, async () => {
    const place = placeOf('changed', `method: random\nrun_cap: 1\n${ranges}`);
    assert.equal((await place.run()).code, 0);
    const { code, output } = await place.run({ weight_decay: '0.1' });
    assert.equal(code, 2);
    assert.match(output, /The sweep changed was begun with other parameters: .*weight_decay/);
  });

  it('loses and doubles nothing though it is killed at random moments', { skip: onlyFull }, async () => {
    const [trials, kills] = [10, 25];
    const place = placeOf('killed', `method: bayes\nrun_cap: ${trials}\nretries: 100\n${ranges}`);
    for (let round = 0; round < kills; round += 1) {
      const worker = place.start({}, { STAND_IN_EPOCH_MS: '100' });
      // Moments that spread over all that a sweep does, its start included.
      const timer = setTimeout(() => worker.process.kill('SIGKILL'), 500 + ((round * 3571) % 9001));
      const { signal, code, output } = await worker.ended;
      clearTimeout(timer);
      if (signal === null) assert.equal(code, 0, output);
    }
    const { code, output } = await place.run();
    assert.equal(code, 0, output);
    await requireWhole(place, trials);
  });

  it('goes on with a trial whose process was killed', { skip: onlyFull }, async () => {
    const place = placeOf('shot', `method: random\nrun_cap: 2\n${ranges}`);
    const goOn = hold(place);
    const worker = place.start();
    const mark = join(place.root, 'outputs', 'results', 'shot-0.pid');
    while (!existsSync(mark)) await sleep(50);
    process.kill(JSON.parse(readFileSync(mark, 'utf8')).pid, 'SIGKILL');
    goOn();
    const { code, output } = await worker.ended;
    assert.equal(code, 0, output);
    const { trials } = await requireWhole(place, 2);
    assert.deepEqual(
      trials.map(({ state, attributes }) => [state, attributes.failures]),
      [
        ['COMPLETE', ['SIGKILL']],
        ['COMPLETE', undefined],
      ],
    );
  });

  it('completes the choice of a trial whose asking was interrupted', { skip: onlyFull }, async () => {
    for (const method of ['grid', 'bayes']) {
      const place = placeOf(`half-${method}`, `method: ${method}\nparameters:\n  lr: { values: [1e-2, 1e-3] }\n`);
      assert.equal((await place.run({ run_cap: '1' })).code, 0);
      const study = await place.study();
      // Without anything to choose, as if it were killed before it chose.
      await study.alone((open) => open.ask({ name: 'RandomSampler', kwargs: {} }, {}));
      const { code, output } = await place.run({ run_cap: '2' });
      assert.equal(code, 0, output);
      const { trials } = await requireWhole(place, 2);
      const rates = trials.map(({ params }) => params['lr']);
      if (method === 'grid') assert.deepEqual(rates.sort(), [0.001, 0.01]);
      else assert.ok(rates.every((rate) => rate === 0.001 || rate === 0.01));
    }
  });

  it('lets 16 processes work at once without losing or doubling a trial', { skip: onlyFull }, async () => {
    const place = placeOf('crowd', `method: random\nrun_cap: 40\n${ranges}`);
    const workers = Array.from({ length: 16 }, () => place.start());
    const ends = await Promise.all(workers.map(({ ended }) => ended));
    for (const { code, output } of ends) assert.equal(code, 0, output);
    const { trials } = await requireWhole(place, 40);
    assert.equal(new Set(trials.map(({ params }) => params['lr'])).size, 40);
    assert.equal(place.recorded('tests').length, 1);
  });

  it('mends the journal where a process was killed in the midst of a line', { skip: onlyFull }, async () => {
    const place = placeOf('torn', `method: random\nrun_cap: 1\n${ranges}`);
    assert.equal((await place.run()).code, 0);
    const path = join(place.folder, 'journal.log');
    const before = readFileSync(path, 'utf8');
    appendFileSync(path, '{"op_code":4,"work');
    symlinkSync(path, `${path}.lock`);
    assert.equal((await place.state()).trials.length, 1);
    assert.equal(readFileSync(path, 'utf8'), before);
  });
});
