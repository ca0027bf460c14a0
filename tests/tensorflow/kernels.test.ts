import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openRuntime } from '#src/tensorflow/runtime.js';

const { kernels } = await openRuntime('cpu');
const skip = kernels.size === 0 && 'there are no kernels for this processor';

async function bitsWith(threads: number): Promise<string> {
  const script = fileURLToPath(new URL('./kernel-bits.js', import.meta.url));
  const env = { ...process.env, TF_NUM_INTRAOP_THREADS: String(threads) };
  return (await promisify(execFile)(process.execPath, [script], { env })).stdout;
}

test('kernels compute the same bits with any number of threads', { skip }, async () => {
  const one = await bitsWith(1);
  const some = { DeepCnnFilterGrad: 1, DeepCnnFloatFilterGrad: 1, DeepCnnGrouped: 3 };
  const hashes = Object.entries(some).reduce((all, [op, count]) => all + (kernels.has(op) ? count : 0), 12);
  assert.match(one, new RegExp(`^([0-9a-f]{8} ?){${hashes}}$`, 'm'));
  for (const threads of [2, 5]) assert.equal(await bitsWith(threads), one);
});
