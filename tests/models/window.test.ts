// PyTorch's windows, found by counting, against the paddings that make TensorFlow's kernels use them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axisPadding, isPlain3x3, type Window } from '#src/models/window.js';

const lengths = [5, 6, 7, 8, 14, 15];
const windows: Window[] = [1, 2, 3, 5, 7].flatMap((kernel) =>
  [1, 2, 3, 4].flatMap((stride) =>
    [0, 1, 2, 3]
      .filter((padding) => padding * 2 <= kernel)
      .flatMap((padding) => [
        { kernel, stride, padding },
        { kernel, stride, padding, ceilMode: true },
        { kernel, stride, padding, dilation: 2 },
      ]),
  ),
);

/** Where PyTorch's windows begin: they must end within the padded axis, or with `ceilMode` begin before its end padding. */
function starts(length: number, { kernel, stride, padding, dilation = 1, ceilMode = false }: Window): number[] {
  assert.ok(typeof kernel === 'number' && typeof padding === 'number');
  const extent = (kernel - 1) * dilation + 1;
  const found: number[] = [];
  for (let start = 0 - padding; ; start += stride) {
    const ends = start + extent <= length + padding;
    const overhangs = ceilMode && start < length && start - stride + extent < length + padding;
    if (!ends && !overhangs) return found;
    found.push(start);
  }
}

function validStarts(
  length: number,
  { kernel, stride, dilation = 1 }: Window,
  before: number,
  after: number,
): number[] {
  assert.ok(typeof kernel === 'number');
  const extent = (kernel - 1) * dilation + 1;
  const count = Math.floor((length + before + after - extent) / stride) + 1;
  return Array.from({ length: count }, (_, i) => i * stride - before);
}

/** As TensorFlow documents SAME. */
function sameStarts(length: number, { kernel, stride, dilation = 1 }: Window): number[] {
  assert.ok(typeof kernel === 'number');
  const extent = (kernel - 1) * dilation + 1;
  const count = Math.ceil(length / stride);
  const total = Math.max((count - 1) * stride + extent - length, 0);
  return Array.from({ length: count }, (_, i) => i * stride - Math.floor(total / 2));
}

test('padded windows begin where PyTorch’s do, and SAME is chosen just where it is the same', () => {
  let same = 0;
  let checked = 0;
  for (const window of windows) {
    for (const length of lengths) {
      const expected = starts(length, window);
      if (expected.length === 0) {
        assert.throws(() => axisPadding(length, window, 0), /internal: a window of \d+ does not fit/);
        continue;
      }
      const { before, after, isSame } = axisPadding(length, window, 0);
      const what = JSON.stringify({ length, ...window });
      assert.deepEqual(validStarts(length, window, before, after), expected, what);
      assert.equal(isSame, sameStarts(length, window).join() === expected.join(), what);
      same += isSame ? 1 : 0;
      checked += 1;
    }
  }
  assert.ok(same > 30 && checked - same > 30, `${same} of ${checked} are the same`);
});

test('height and width have sizes of their own', () => {
  const window: Window = { kernel: [1, 7], stride: 1, padding: [0, 3] };
  assert.deepEqual(axisPadding(9, window, 0), { before: 0, after: 0, isSame: true });
  assert.deepEqual(axisPadding(9, window, 1), { before: 3, after: 3, isSame: true });
});

test('a plain window of 3 x 3 pixels is known by all of its numbers', () => {
  const plain = { kernel: 3, stride: 1, padding: 1 };
  for (const same of [plain, { ...plain, padding: 'same' as const }, { ...plain, kernel: [3, 3] as const }]) {
    assert.ok(isPlain3x3(same));
  }
  const others = [
    { kernel: 5 },
    { kernel: [3, 1] as const },
    { stride: 2 },
    { padding: 0 },
    { padding: [1, 0] as const },
    { dilation: 2 },
  ];
  for (const other of others) assert.ok(!isPlain3x3({ ...plain, ...other }), JSON.stringify(other));
});
