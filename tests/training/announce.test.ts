import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportArithmetic, reportSteps, reportXla } from '#src/training/announce.js';
import type { Precision } from '#src/training/precision-choice.js';

/** What is told of steps of batches of 32 images. */
function told({ accumulate = 1, gpus = 1, parts = 1 }): string[] {
  const messages: string[] = [];
  reportSteps({ batch_size: 32, accumulate, gpus }, parts, (event) => {
    if (event.kind === 'note') messages.push(event.message);
  });
  return messages;
}

const onOne = 'Only training is shared by 2 GPUs: evaluation runs on one';

for (const [name, options, expected] of [
  ['a batch on one device', {}, []],
  [
    'steps of several batches',
    { accumulate: 4 },
    ['Effective batch size 128: each step is by 4 batches of 32 images; batch norm sees 32 at a time'],
  ],
  [
    'a batch in parts',
    { parts: 3 },
    [
      'Effective batch size 32: each step is by one batch of 32 images, computed in 3 parts; batch norm sees 11 at a time',
    ],
  ],
  [
    'a batch on several GPUs',
    { gpus: 2 },
    [
      'Effective batch size 32: each step is by one batch of 32 images, computed on 2 GPUs; batch norm sees 16 at a time',
      onOne,
    ],
  ],
  [
    'all at once',
    { accumulate: 2, gpus: 2, parts: 2 },
    [
      'Effective batch size 64: each step is by 2 batches of 32 images, computed in 2 parts on 2 GPUs; batch norm sees 8 at a time',
      onOne,
    ],
  ],
] as const) {
  test(`what is told of ${name}`, () => assert.deepEqual(told(options), expected));
}

test('XLA is told to take time on a GPU, and to do nothing on a processor', () => {
  const messages: string[] = [];
  for (const device of ['cuda', 'cpu'] as const) {
    reportXla(device, (event) => {
      if (event.kind === 'note' || event.kind === 'warning') messages.push(`${event.kind}: ${event.message}`);
    });
  }
  assert.match(messages[0] ?? '', /^note: XLA compiles the steps/);
  assert.match(messages[1] ?? '', /^warning: --xla does nothing here/);
});

test('a precision for which a processor has no arithmetic is told, and oneDNN turned off', () => {
  const variable = 'TF_ENABLE_ONEDNN_OPTS';
  const before = process.env[variable];
  const told = (precision: Precision, device: 'cpu' | 'cuda' = 'cpu') => {
    const messages: string[] = [];
    const slowTypes = new Set(device === 'cpu' ? (['bfloat16', 'float16'] as const) : []);
    reportArithmetic({ device, slowTypes }, precision, (event) => {
      if (event.kind === 'note' || event.kind === 'warning') messages.push(`${event.kind}: ${event.message}`);
    });
    return messages;
  };
  const slow = 'note: bf16 takes less memory here than fp32, but no less time: this processor convolves in float32';
  try {
    process.env[variable] = '1';
    assert.deepEqual(told('fp32'), []);
    assert.deepEqual(told('bf16'), [slow]);
    assert.deepEqual(told('bf16', 'cuda'), []);
    process.env[variable] = '0';
    const off =
      'warning: oneDNN is turned off (TF_ENABLE_ONEDNN_OPTS): steps are slower, and networks with grouped or dilated convolutions do not train';
    assert.deepEqual(told('fp32'), [off]);
    assert.deepEqual(told('bf16'), [off, slow]);
    assert.deepEqual(told('fp32', 'cuda'), []);
  } finally {
    if (before === undefined) delete process.env[variable];
    else process.env[variable] = before;
  }
});
