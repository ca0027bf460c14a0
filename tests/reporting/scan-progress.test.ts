import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createScanProgress } from '#src/reporting/scan-progress.js';

function progressTo(t: TestContext, terminal: boolean) {
  const written: string[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY: terminal, columns: 90 });
  stream.on('data', (chunk) => written.push(String(chunk)));
  let nowMs = 0;
  const progress = createScanProgress(stream, () => nowMs);
  t.after(() => progress.close());
  const wait = (ms: number) => {
    nowMs += ms;
  };
  return { progress, wait, text: () => written.join('') };
}

test('a file gets a line a minute, and none from what is over sooner', (t) => {
  const { progress, wait, text } = progressTo(t, false);
  for (let done = 1; done <= 300; done++) {
    wait(500);
    progress.update('Decoding', done, 900);
  }
  progress.close();
  assert.equal(text(), 'Decoding: 120 of 900 (13 %)\nDecoding: 240 of 900 (26 %)\n');
});

test('a terminal gets a bar for each phase, which does not stay', async (t) => {
  const { progress, wait, text } = progressTo(t, true);
  progress.update('Decoding', 1, 4);
  wait(200);
  progress.update('Decoding', 2, 4);
  wait(200);
  progress.update('Comparing', 1, 4);
  progress.close();
  await new Promise(setImmediate);
  assert.match(text(), /Decoding 50%\|█{12} {12}\| 2\/4 \[.*Comparing 25%/s);
  // Nothing that only the end of the program would undo: no hidden cursor, no switched-off wrapping.
  assert.ok(!text().includes('\x1b[?25l') && !text().includes('\x1b[?7l'));
  assert.ok(!text().includes('\n'));
});
