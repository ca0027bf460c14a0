import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { confusionOf, readTestDetail, TestRecord, testDetailFile, writeTestDetail } from '#src/report/test-detail.js';
import { describedRun, makeFolder, testedRecord, writeRun } from './run.js';

const folder = makeFolder();
after(() => rmSync(folder, { recursive: true, force: true }));
const classes = ['alley', 'beach', 'canyon'];

test('scores become losses, ranks and confusions', () => {
  const record = new TestRecord(['a', 'b']);
  record.addScores(
    [
      { path: '/1', label: 0 },
      { path: '/2', label: 0 },
    ],
    Float32Array.of(0, Math.log(3), 1000, 0),
  );
  const { detail } = record;
  assert.ok(detail);
  assert.deepEqual([detail.images, detail.precisionAt1.percent, detail.confusion], [2, 50, ['0:1 1:1', '']]);
  assert.ok(Math.abs(detail.loss - Math.log(4) / 2) < 1e-6, `${detail.loss}`);
  const [first, second] = detail.worst;
  assert.ok(first && second);
  assert.deepEqual([first.path, first.class, first.takenFor, second.path], ['/1', 'a', 'b', '/2']);
  assert.ok(Math.abs(first.probability - 0.25) < 1e-6 && Math.abs(first.takenForProbability - 0.75) < 1e-6);
});

test('without an image there is nothing to tell', () => {
  assert.equal(new TestRecord(classes).detail, undefined);
});

test('of many images the 24 of the highest loss are kept, the highest first', () => {
  const record = new TestRecord(['a', 'b']);
  const images = Array.from({ length: 60 }, (_, index) => ({ path: String(index), label: 0 }));
  record.addScores(images, Float32Array.from(images.flatMap((_, index) => [0, (index * 7) % 60])));
  const kept = record.detail?.worst.map(({ path }) => (Number(path) * 7) % 60);
  assert.deepEqual(
    kept,
    Array.from({ length: 24 }, (_, rank) => 59 - rank),
  );
});

test('what is written is read again, with the confusion matrix', () => {
  const run = describedRun(folder);
  writeRun(run);
  const { detail } = testedRecord(classes, folder);
  assert.ok(detail);
  writeTestDetail(run.files, detail);
  assert.deepEqual(readTestDetail(run.files), detail);
  const confusion = confusionOf(detail);
  assert.deepEqual(
    classes.map((_, actual) => Array.from(confusion.row(actual))),
    [
      [2, 0, 0],
      [0, 0, 2],
      [2, 0, 0],
    ],
  );
  writeFileSync(testDetailFile(run.files), '{"confusion":[]}');
  assert.equal(readTestDetail(run.files), undefined);
});
