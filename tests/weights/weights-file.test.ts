import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UserError } from '#src/errors.js';
import { writeSafetensors } from '#src/weights/safetensors.js';
import { readWeightsFile } from '#src/weights/weights-file.js';

// Compiled tests lie in build/tests/weights, the files stay where make-fixtures.py put them.
const fixtures = fileURLToPath(new URL('../../../tests/weights/fixtures/', import.meta.url));
const expected: Record<string, Record<string, { shape: number[]; data: string }>> = JSON.parse(
  readFileSync(join(fixtures, 'expected.json'), 'utf8'),
);

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-file-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function assertRefused(path: string, message: RegExp): Promise<void> {
  await assert.rejects(readWeightsFile(path), (error: Error) => {
    assert.ok(error instanceof UserError, error.stack);
    assert.match(error.message, message);
    assert.ok(error.message.includes(path));
    return true;
  });
}

describe('readWeightsFile reads bit for bit what PyTorch does', () => {
  for (const [name, tensors] of Object.entries(expected)) {
    it(name, async () => {
      const { weights } = await readWeightsFile(join(fixtures, name));
      assert.deepEqual([...weights.keys()], Object.keys(tensors));
      for (const [key, { shape, data }] of weights) {
        assert.deepEqual(shape, tensors[key]?.shape, key);
        const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
        assert.equal(bytes.toString('base64'), tensors[key]?.data, key);
      }
    });
  }

  it('pollutes no prototype with what a pickle names __proto__', () => {
    assert.equal('polluted' in {}, false);
  });
});

describe('readWeightsFile refuses', () => {
  const refused: [string, RegExp][] = [
    ['system.pt', /something other than weights: .*found posix\.system\. Save the weights alone/],
    ['eval.pth', /found __builtin__\.eval\./],
    ['nested-calls.pt', /found builtins\.getattr\./],
    ['bare.pkl', /found posix\.system\./],
    ['namespace.pt', /found argparse\.Namespace\./],
    ['whole-module.pt', /found torch\.nn\.modules\.linear\.Linear\./],
    ['torchscript.pt', /is a TorchScript archive: .*torch\.jit\.load/],
    ['arrays.npz', /a zip file, but not one of PyTorch's: expected one data\.pkl, found a\.npy/],
  ];
  for (const [name, message] of refused) it(name, () => assertRefused(join(fixtures, name), message));

  it('and runs nothing', () => {
    assert.ok(!existsSync('pickle-was-run'));
  });

  const unknown: [string, Buffer | string, RegExp][] = [
    ['an empty file', '', /found an empty file/],
    ['HDF5', Buffer.from('894844460d0a1a0a00', 'hex'), /found HDF5 \(Keras writes it\)/],
    ['gzip', Buffer.from('1f8b08000000000000', 'hex'), /found a gzip archive: unpack it first/],
    ['tar', Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\0')]), /found a tar archive/],
    ['a web page', '\n<!DOCTYPE html><html>', /found a web page: the download ended at a log-in/],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\n', /found a Git LFS pointer/],
    ['an empty zip file', Buffer.concat([Buffer.from('PK\x05\x06'), Buffer.alloc(18)]), /a zip file without content/],
    ['anything else', Buffer.from('0123456789abcdef00', 'hex'), /found the bytes 0123456789abcdef/],
    ['a pickle of protocol 0', "cposix\nsystem\n(S'true'\ntR.", /found the bytes 63706f7369780a73/],
  ];
  for (const [what, content, message] of unknown) {
    it(what, async () => {
      const path = join(folder, 'unknown.pth');
      await writeFile(path, content);
      await assertRefused(path, message);
    });
  }

  it('a folder, and what is not there', async () => {
    await assertRefused(folder, /expected a file, found a folder/);
    await assertRefused('/dev/null', /found a device or a pipe/);
    await assertRefused(join(folder, 'absent.pth'), /can't be opened: found ENOENT/);
  });

  // A cut file is never half read.
  for (const name of ['protocol2.pt', 'legacy.pth', 'views-legacy.pth']) {
    it(`${name} cut short, wherever`, async () => {
      const whole = await readWeightsFile(join(fixtures, name));
      assert.ok(whole.weights.size > 0);
      const bytes = readFileSync(join(fixtures, name));
      const path = join(folder, 'cut.pth');
      for (let length = 0; length < bytes.length; length += 7) {
        await writeFile(path, bytes.subarray(0, length));
        await assertRefused(path, /./);
      }
    });
  }
});

describe('readWeightsFile knows a file by its content', () => {
  it('reads PyTorch’s under the name of safetensors, and the reverse', async () => {
    const torch = join(folder, 'torch.safetensors');
    await copyFile(join(fixtures, 'legacy.pth'), torch);
    assert.equal((await readWeightsFile(torch)).weights.size, 2);
    const safetensors = join(folder, 'safetensors.pth');
    const tensor = { shape: [1], data: Float32Array.of(2) };
    await writeSafetensors(safetensors, { weights: new Map([['x', tensor]]), metadata: { model: 'm' } });
    assert.deepEqual(await readWeightsFile(safetensors), {
      weights: new Map([['x', tensor]]),
      metadata: { model: 'm' },
    });
  });

  it('tells of a broken safetensors file by its name', async () => {
    const path = join(folder, 'broken.safetensors');
    await writeFile(path, Buffer.from('ffffffffffffff7f', 'hex'));
    await assertRefused(path, /no whole safetensors file: found a header of \d+ bytes in a file of 8/);
  });
});
