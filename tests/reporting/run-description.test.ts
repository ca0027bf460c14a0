import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { createRunDescription } from '#src/reporting/describe-run.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { findRunDescription } from '#src/reporting/find-run-description.js';
import { descriptionFile } from '#src/reporting/run-description.js';
import { nameRunFiles, type RunFiles } from '#src/reporting/run-files.js';
import { closing, epochEnd, metrics, noon, opening } from './run.js';

let folder = '';
let files: RunFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-description-'));
  files = nameRunFiles({ root_dir: folder, run_name: 'mine' }, noon);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const program = { version: '1.2.3', commit: 'abc', isChanged: false, node: '20.1.0', platform: 'linux-x64' };
const data = { classes: ['alley', 'beach'], train: 48, validation: 12, test: 20, sha256: 'f00' };
const dataset: TrainingEvent = { kind: 'dataset', ...data };
const run: TrainingEvent = { kind: 'run', parameters: { run_name: 'mine', lr: 1e-3, weights: undefined } };

function unexpected(error: unknown): void {
  throw error;
}

function tell(events: readonly TrainingEvent[], now = noon, onFailure: (error: unknown) => void = unexpected) {
  const reporter = createRunDescription({ files, program, now: () => now, onFailure });
  for (const event of events) reporter.handle(event);
  return reporter;
}

const found = (run_name = 'mine') => findRunDescription({ root_dir: folder, run_name });

test('a finished run is described whole, beside its table', () => {
  tell([run, ...opening.slice(1), dataset, epochEnd(1, metrics(2)), epochEnd(2, undefined), ...closing]);
  const { path, epochs, ...rest } = found();
  assert.equal(path, files.results.replace('.csv', '.json'));
  assert.deepEqual(
    epochs.map(({ epoch, validation }) => [epoch, validation?.loss]),
    [
      [1, 2],
      [2, undefined],
    ],
  );
  const time = noon.toISOString();
  assert.deepEqual(rest, {
    ...{ state: 'finished', started: time, resumed: [], written: time, program, device: { kind: 'cpu' } },
    ...{ options: { run_name: 'mine', lr: 1e-3 }, data, files, test: metrics(1.5) },
    weights: 'hf:timm/resnet101.tv_in1k:model.safetensors',
  });
});

test('a run that is killed, goes on and stops keeps its beginning, and has each epoch once', () => {
  tell([run, dataset, epochEnd(1, undefined), epochEnd(2, undefined)]);
  assert.equal(found().state, 'running');
  const later = new Date(noon.getTime() + 60_000);
  const first = epochEnd(1, undefined);
  const history = first.kind === 'epoch-end' ? [first.result] : [];
  const resumed: TrainingEvent = { kind: 'resumed', path: 'last', epoch: 1, step: 4, history };
  const stopped: TrainingEvent = { kind: 'stopped', reason: 'SIGTERM', step: 9, path: 'last', command: 'again' };
  tell([run, resumed, dataset, epochEnd(2, undefined), stopped], later);
  const { started, resumed: times, state, reason, epochs } = found();
  assert.deepEqual([started, times], [noon.toISOString(), [later.toISOString()]]);
  assert.deepEqual([state, reason, epochs.map(({ epoch }) => epoch)], ['stopped', 'SIGTERM', [1, 2]]);
});

test('of several runs of a name the latest counts, and damaged files are passed over', () => {
  tell([run, dataset]);
  const after = new Date(noon.getTime() + 1000);
  files = nameRunFiles({ root_dir: folder, run_name: 'mine' }, after);
  tell([run, dataset, { kind: 'failed', message: 'no' }], after);
  writeFileSync(join(folder, 'outputs', 'results', 'damaged.json'), '{"started":');
  writeFileSync(join(folder, 'outputs', 'results', 'other.json'), '[]');
  assert.equal(found().path, descriptionFile(files));
  assert.equal(found().reason, 'no');
  assert.throws(() => found('yours'), /no description of a run 'yours': expected one of mine/);
});

test('a folder without runs, and none', () => {
  assert.throws(() => found(), /Cannot read '.*results'/);
  mkdirSync(dirname(files.results), { recursive: true });
  assert.throws(() => found(), /There is no description of a run 'mine': expected a file/);
});

test('a file that cannot be written is told once', () => {
  writeFileSync(join(folder, 'outputs'), 'in the way');
  const failures: unknown[] = [];
  tell([run, dataset, epochEnd(1, undefined)], noon, (error) => failures.push(error));
  assert.equal(failures.length, 1);
});

test('a key that got into an error does not get into the file', () => {
  process.env['WB_KEY'] = '0123456789abcdef0123456789abcdef01234567';
  try {
    tell([run, dataset, { kind: 'failed', message: `refused ${process.env['WB_KEY']}` }]);
    assert.doesNotMatch(readFileSync(descriptionFile(files), 'utf8'), /0123456789abcdef/);
  } finally {
    delete process.env['WB_KEY'];
  }
});
