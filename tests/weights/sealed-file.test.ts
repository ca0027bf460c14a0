import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { UserError } from '#src/errors.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { openSealed, readSealedMetadata, readSealedTensors, writeSealed } from '#src/weights/sealed-file.js';
import type { StateDict } from '#src/weights/state-dict.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const weights: StateDict = new Map([
  ['conv.weight', { shape: [2, 1, 1, 2], data: Float32Array.of(1, -2, Number.NaN, 1e-40) }],
  ['conv.bias', { shape: [2], data: Float32Array.of(-0, 5) }],
]);
const slots: StateDict = new Map([['optimizer/conv.bias/exp_avg', { shape: [2], data: Float32Array.of(7, 8) }]]);

async function written(t: TestContext): Promise<string> {
  const path = join(temporaryFolder(t), 'last.safetensors');
  const parts = [weights, slots].map((part) => ({
    tensors: [...part].map(([name, { shape }]) => ({ name, shape })),
    read: () => part,
  }));
  await writeSealed(path, { parts, metadata: { state: '{"step":3}' } });
  return path;
}

describe('a sealed file', () => {
  it('gives back what was written, to the bit', async (t) => {
    const path = await written(t);
    const { metadata, tensors } = await openSealed(path);
    assert.deepEqual({ ...metadata }, { state: '{"step":3}' });
    assert.deepEqual(
      tensors.map(({ name, shape }) => [name, [...shape]]),
      [
        ['conv.weight', [2, 1, 1, 2]],
        ['conv.bias', [2]],
        ['optimizer/conv.bias/exp_avg', [2]],
      ],
    );
    const all = await readSealedTensors(path);
    const read = new Map([...all].filter(([name]) => !name.startsWith('optimizer/')));
    assert.deepEqual([...read.keys()], ['conv.weight', 'conv.bias']);
    for (const [name, { data }] of read) {
      assert.deepEqual(Buffer.from(data.buffer), Buffer.from(weights.get(name)?.data.buffer ?? new ArrayBuffer(0)));
    }
  });

  it("is a safetensors file like any other, in which only the network's tensors count", async (t) => {
    const { weights: read } = await readSafetensors(await written(t));
    assert.deepEqual([...read.keys()], ['conv.weight', 'conv.bias']);
    assert.deepEqual(read.get('conv.bias')?.data, Float32Array.of(-0, 5));
  });

  it('leaves nothing else in its folder', async (t) => {
    const path = await written(t);
    assert.deepEqual(await readdir(join(path, '..')), ['last.safetensors']);
  });

  it('notices every flipped bit', async (t) => {
    const path = await written(t);
    const whole = readFileSync(path);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const changed = Buffer.from(whole);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      writeFileSync(path, changed);
      await assert.rejects(openSealed(path), UserError, `bit ${bit & 7} of byte ${bit >> 3}`);
    }
  });

  it('notices every cut', async (t) => {
    const path = await written(t);
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      await assert.rejects(openSealed(path), UserError, `${length} bytes`);
    }
  });

  it('is told from a file without a seal', async (t) => {
    const path = await written(t);
    const unsealed = Buffer.from(readFileSync(path).toString('latin1').replace('"sha256"', '"sha255"'), 'latin1');
    writeFileSync(path, unsealed);
    await assert.rejects(openSealed(path), /no checksum at its end/);
  });

  it('tells its metadata without reading the rest', async (t) => {
    const path = await written(t);
    const whole = readFileSync(path);
    whole[whole.length - 40] = 99;
    writeFileSync(path, whole);
    assert.deepEqual({ ...(await readSealedMetadata(path)) }, { state: '{"step":3}' });
  });

  it('must be given exactly the tensors that were announced', async (t) => {
    const path = join(temporaryFolder(t), 'x.safetensors');
    const part = { tensors: [{ name: 'a', shape: [3] }], read: () => new Map() };
    await assert.rejects(writeSealed(path, { parts: [part], metadata: {} }), /internal: a \[3\] is missing/);
    assert.deepEqual(await readdir(join(path, '..')), []);
  });
});
