import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { barLine, say, showDownload } from '#src/weights/download-progress.js';

let written = '';
const wasTTY = process.stderr.isTTY;

beforeEach(() => {
  written = '';
  mock.timers.enable({ apis: ['setInterval'] });
  mock.method(process.stderr, 'write', (text: string) => {
    written += text;
    return true;
  });
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
  process.stderr.isTTY = wasTTY;
});

const half = { done: 50e6, totalBytes: 100e6, startBytes: 30e6, elapsedMs: 2000 };

test('a line tells share, size, time, what is left and the speed of what this download brought', () => {
  const bar = `|${'█'.repeat(12)}${' '.repeat(12)}|`;
  assert.equal(barLine('tiny', half, 120), `tiny  50%${bar} 50 MB/100 MB [2 s<5 s, 10 MB/s]`);
  assert.equal(barLine('tiny', { ...half, elapsedMs: 0 }, 120), `tiny  50%${bar} 50 MB/100 MB [0 s<?, 0 B/s]`);
  assert.match(barLine('tiny', { ...half, done: 100e6 }, 120), /^tiny 100%\|█{24}\| 100 MB\/100 MB \[2 s<0 s, /);
});

test('a narrow terminal gets less of it, and never a second line', () => {
  for (let columns = 0; columns <= 90; columns += 1) {
    const line = barLine('tiny', half, columns);
    assert.ok(line.length <= Math.max(columns - 10, 0), `${line.length} in ${columns}`);
    if (columns >= 20) assert.match(line, /^tiny {2}50%/);
  }
});

test('in a terminal one line is kept up to date, and other lines stand above it', async () => {
  process.stderr.isTTY = true;
  let bytes = 25;
  await showDownload('tiny', { bytesDone: () => bytes, totalBytes: 100 }, async () => {
    bytes = 75;
    mock.timers.tick(100);
    say('a word');
  });
  const lines = written.split('\r\x1b[K').slice(1);
  assert.match(lines[0] ?? '', /^weights: tiny {2}25%/);
  assert.match(lines[1] ?? '', /^weights: tiny {2}75%/);
  assert.equal(lines[2], 'weights: a word\n');
  assert.match(lines.at(-1) ?? '', /^weights: downloaded tiny \(100 B\) in \d+\.\d s\n$/);
  assert.ok(!written.slice(0, -1).includes('\n\n'));
});

test('in a file there are plain lines, one each half minute', async () => {
  process.stderr.isTTY = false;
  await showDownload('tiny', { bytesDone: () => 40, totalBytes: 100 }, async () => mock.timers.tick(65_000));
  const [first, ...others] = written.trimEnd().split('\n');
  assert.equal(first, 'weights: downloading tiny (100 B) ...');
  assert.deepEqual(others.slice(0, 2), Array(2).fill('weights: downloading tiny ... 40 B of 100 B'));
  assert.match(others[2] ?? '', /^weights: downloaded tiny/);
  assert.ok(!written.includes('\r') && !written.includes('\x1b'));
});

test('a failed download leaves no half line behind', async () => {
  process.stderr.isTTY = true;
  const failing = showDownload('tiny', { bytesDone: () => 0, totalBytes: 1 }, () => Promise.reject(new Error('no')));
  await assert.rejects(failing, /no/);
  assert.ok(written.endsWith('\r\x1b[K'));
});
