import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { RunReport } from '#src/report/run-report.js';
import { readTestDetail } from '#src/report/test-detail.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { descriptionFile, reportFile } from '#src/reporting/run-description.js';
import { describedRun, makeFolder, writeRun } from './run.js';

let folder = '';
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function reportOf(run = describedRun(folder)) {
  const events: TrainingEvent[] = [];
  const report = new RunReport(run.files, (event) => events.push(event));
  report.note({ kind: 'dataset', ...run.data });
  return { run, events, report };
}

test('the page and the test in detail lie beside the description', async () => {
  const { run, events, report } = reportOf();
  writeRun(run);
  report.addTested([{ path: '/gone.jpg', label: 1 }], Float32Array.of(1, 2, 3));
  const saved = { kind: 'saved', what: 'report', path: reportFile(run.files) };
  await report.write(60_000);
  assert.deepEqual(events, [saved]);
  assert.ok(existsSync(reportFile(run.files)));
  assert.equal(readTestDetail(run.files), undefined, 'of half a test');
  report.note({ kind: 'tested', seconds: 1, metrics: { images: 1, loss: 1, precisionAt1: 0, precisionAt5: 100 } });
  await report.write(60_000);
  assert.deepEqual(events, [saved, saved]);
  assert.equal(readTestDetail(run.files)?.images, 1);
});

test('what goes wrong is one warning', async () => {
  const { run, events, report } = reportOf();
  writeRun(run);
  // A label that no class has.
  report.addTested([{ path: '/a.jpg', label: 9 }], Float32Array.of(1, 2, 3));
  report.addTested([{ path: '/b.jpg', label: 9 }], Float32Array.of(1, 2, 3));
  await report.write(60_000);
  const unreadable = reportOf();
  writeFileSync(descriptionFile(run.files), '{');
  await unreadable.report.write(60_000);
  const blocked = reportOf();
  writeRun(run);
  mkdirSync(reportFile(run.files));
  await blocked.report.write(60_000);
  for (const told of [events, unreadable.events, blocked.events]) {
    assert.deepEqual(
      told.map(({ kind }) => kind),
      ['warning'],
    );
  }
});

test('where there is no time the command is named, and a run without description is let be', async () => {
  const { run, events, report } = reportOf();
  await report.write(60_000);
  assert.deepEqual(events, []);
  writeRun(run);
  await report.write(1);
  assert.match(JSON.stringify(events), /"note".*no time.*deep-cnn report .*\.json/);
  assert.ok(!existsSync(reportFile(run.files)));
});
