import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { showStep } from '#src/tensorflow/install-progress.js';

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

const progress = { bytesDone: () => 134e6, totalBytes: 259e6 };

test('in a terminal a step keeps one line up to date', async () => {
  process.stderr.isTTY = true;
  await showStep('downloading', async () => mock.timers.tick(200), progress);
  const lines = written.split('\r\x1b[K').slice(1);
  assert.equal(lines[0], 'set-up: downloading ... ');
  assert.equal(lines[1], 'set-up: downloading ... 134 MB of 259 MB');
  assert.match(lines[2] ?? '', /^set-up: downloading \.\.\. \d+\.\d s\n$/);
});

test('in a terminal a failed step leaves no half line behind', async () => {
  process.stderr.isTTY = true;
  await assert.rejects(
    showStep('downloading', () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.ok(written.endsWith('\r\x1b[K'));
});

test('in a file a step is a plain line, and another every half minute', async () => {
  process.stderr.isTTY = false;
  await showStep('downloading', async () => mock.timers.tick(29_999), progress);
  assert.equal(written, 'set-up: downloading ...\n');
  written = '';
  await showStep('downloading', async () => mock.timers.tick(60_000), progress);
  const detail = 'set-up: downloading ... 134 MB of 259 MB\n';
  assert.equal(written, `set-up: downloading ...\n${detail}${detail}`);
});
