import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { createCountProgress } from '#src/reporting/count-progress.js';

// A dumb terminal gets plain lines.
process.env['TERM'] = 'xterm';

function watch(isTTY: boolean) {
  let nowMs = 0;
  const stream = Object.assign(new PassThrough(), { isTTY });
  const progress = createCountProgress(stream, 'Predicting', () => nowMs);
  const at = (ms: number, done: number) => {
    nowMs = ms;
    progress.update(done);
    return stream.read()?.toString() ?? '';
  };
  return { progress, stream, at };
}

test('a line in a terminal, written anew and taken away', () => {
  const { progress, stream, at } = watch(true);
  assert.equal(at(1000, 200), '\rPredicting: 200 images, 200 a second');
  assert.equal(at(1050, 220), '');
  assert.equal(at(10_000, 210), '\rPredicting: 210 images, 21 a second '.padEnd(37));
  progress.close();
  assert.match(stream.read().toString(), /^\r +\r$/);
});

test('elsewhere a line a minute', () => {
  const { progress, stream, at } = watch(false);
  assert.equal(at(59_000, 10), '');
  assert.equal(at(61_000, 6100), 'Predicting: 6100 images, 100 a second\n');
  assert.equal(at(62_000, 6200), '');
  progress.close();
  assert.equal(stream.read(), null);
});
