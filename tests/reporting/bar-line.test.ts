import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barLine, type Progress } from '#src/reporting/bar-line.js';

const seed: Progress = {
  title: 'Epoch 0',
  batch: 35,
  batches: 1697,
  elapsedMs: 19_600,
  batchesPerSecond: 1.79,
  imagesPerSecond: 229.12,
  loss: 3.0612,
  waitShare: 0.034,
};

test('the line in all widths', () => {
  const golden: [width: number, line: string][] = [
    [
      120,
      'Epoch 0:   2%|▊                                       | 35/1697 [00:19<15:28, 1.79batch/s, loss=3.06, 229img/s, wait=3%]',
    ],
    [86, 'Epoch 0:   2%|      | 35/1697 [00:19<15:28, 1.79batch/s, loss=3.06, 229img/s, wait=3%]'],
    [79, 'Epoch 0:   2%|   | 35/1697 [00:19<15:28,1.79batch/s,loss=3.06,229img/s,wait=3%]'],
    [75, 'Epoch 0:   2%|▏      | 35/1697 [00:19<15:28,1.79batch/s,loss=3.06,229img/s]'],
    [60, 'Epoch 0:   2%| | 35/1697 [00:19<15:28,1.79batch/s,loss=3.06]'],
    [40, 'Epoch 0:   2%|   | 35/1697 [00:19<15:28]'],
    [30, 'Epoch 0:   2% 35/1697         '],
    [10, 'Epoch 0:  '],
    [0, ''],
    [-1, ''],
  ];
  for (const [width, line] of golden) assert.equal(barLine(seed, width), line);
});

test('every line fills its width and no more', () => {
  for (let width = 0; width <= 200; width++) assert.equal([...barLine(seed, width)].length, width);
});

test('the bar fills by eighths', () => {
  const bars = [10, 11, 12, 13, 14, 15, 16, 17, 63].map((batch) => {
    const right = ` ${batch}/64 [00:00<?, ?batch/s]`;
    const nothing = { batchesPerSecond: undefined, imagesPerSecond: undefined, loss: undefined, waitShare: undefined };
    const line = barLine({ ...nothing, title: 'Epoch 0', batch, batches: 64, elapsedMs: 0 }, 13 + 2 + 8 + right.length);
    return line.slice(line.indexOf('|') + 1, line.lastIndexOf('|'));
  });
  assert.deepEqual(bars, [
    '█▎      ',
    '█▍      ',
    '█▌      ',
    '█▋      ',
    '█▊      ',
    '█▉      ',
    '██      ',
    '██▏     ',
    '███████▉',
  ]);
});

test('before the first step nothing is known', () => {
  const nothing = { batchesPerSecond: undefined, imagesPerSecond: undefined, loss: undefined, waitShare: undefined };
  assert.equal(
    barLine({ ...seed, ...nothing, batch: 0, elapsedMs: 0 }, 60),
    'Epoch 0:   0%|                  | 0/1697 [00:00<?, ?batch/s]',
  );
});

test('odd figures keep their form', () => {
  const cases: [changed: Partial<Progress>, part: string][] = [
    [{ batchesPerSecond: 0.5 }, '<55:24, 2.00s/batch'],
    [{ batchesPerSecond: 0.1 }, '<4:37:00, 10.00s/batch'],
    [{ elapsedMs: 3_723_000 }, '[1:02:03<'],
    [{ loss: Number.NaN }, 'loss=nan'],
    [{ loss: Number.POSITIVE_INFINITY }, 'loss=infinity'],
    [{ loss: 2.9 }, 'loss=2.90'],
    [{ loss: 0.000123456 }, 'loss=0.000123'],
    [{ loss: 999.9 }, 'loss=1000'],
    [{ loss: 123456.7 }, 'loss=123457'],
    [{ imagesPerSecond: 1234.5 }, '1235img/s'],
    [{ waitShare: 1 }, 'wait=100%'],
    [{ batch: 1697 }, '100%|'],
    [{ batch: 1696 }, ' 99%|'],
    [{ batch: 0, batches: 0 }, '100%|'],
  ];
  for (const [changed, part] of cases) assert.ok(barLine({ ...seed, ...changed }, 120).includes(part), part);
});
