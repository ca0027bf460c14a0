import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '#src/errors.js';
import { readSafetensors, writeSafetensors } from '#src/weights/safetensors.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const weights = new Map([
  ['fc.weight', { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, Number.MIN_VALUE, 5, -0) }],
  ['fc.bias', { shape: [2], data: Float32Array.of(0.1, 1e30) }],
  ['scalar', { shape: [], data: Float32Array.of(7) }],
]);

describe('writeSafetensors', () => {
  it('writes what readSafetensors reads, in the same order and bit for bit', async () => {
    const path = join(folder, 'round-trip.safetensors');
    await writeSafetensors(path, { weights, metadata: { model: 'résumé', classes: '["a"]' } });
    const read = await readSafetensors(path);
    assert.deepEqual([...read.weights], [...weights]);
    assert.deepEqual(read.metadata, { model: 'résumé', classes: '["a"]' });
  });

  it('follows the format: length, JSON header, tensors from an offset that is a multiple of 8', async () => {
    const path = join(folder, 'format.safetensors');
    await writeSafetensors(path, { weights, metadata: {} });
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    assert.equal((8 + length) % 8, 0);
    assert.deepEqual(header['fc.weight'], { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] });
    assert.equal(bytes.readFloatLE(8 + length + 8), 3.5);
    assert.equal(bytes.length, 8 + length + 24 + 8 + 4);
  });

  it('leaves the file before it untouched when it fails', async () => {
    const path = join(folder, 'kept.safetensors');
    await writeSafetensors(path, { weights, metadata: {} });
    const broken = new Map([['x', { shape: [1], data: undefined as unknown as Float32Array }]]);
    await assert.rejects(writeSafetensors(path, { weights: broken, metadata: {} }));
    assert.deepEqual([...(await readSafetensors(path)).weights], [...weights]);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });
});

describe('readSafetensors', () => {
  const encode = (header: unknown, data = Buffer.alloc(0)) => {
    const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([prefix, json, data]);
  };
  const entry = (change: object) => ({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...change } });
  const eight = Buffer.alloc(8);
  const cases: [string, Buffer, RegExp][] = [
    ['an empty file', Buffer.alloc(0), /a file of 0 bytes/],
    ['a file of 7 bytes', Buffer.alloc(7), /a file of 7 bytes/],
    ['a header longer than the file', Buffer.from('ffffffffffffff7f', 'hex'), /a header of \d+ bytes in a file of 8/],
    ['a header that is no JSON', encode('{"x":'), /no JSON/],
    ['a header that is a list', encode([]), /no JSON object/],
    ['no place', encode({ x: { dtype: 'F32', shape: [2] } }, eight), /no type, shape and place for x/],
    ['a negative size', encode(entry({ shape: [-2] }), eight), /no type, shape and place for x/],
    ['an end past the file', encode(entry({ data_offsets: [8, 16] }), eight), /x \[2\] at bytes 8 to 16 of 8/],
    ['offsets that do not fit the shape', encode(entry({ data_offsets: [0, 4] }), eight), /x \[2\] at bytes 0 to 4/],
    ['offsets in reverse', encode(entry({ data_offsets: [8, 0] }), eight), /x \[2\] at bytes 8 to 0/],
    ['an absurd size', encode(entry({ shape: [2 ** 40, 2 ** 40] }), eight), /x \[/],
    ['a type that is not read', encode(entry({ dtype: 'BF16' }), eight), /expected F32, found BF16 \(x\)/],
  ];
  for (const [what, bytes, message] of cases) {
    it(`refuses ${what}`, async () => {
      const path = join(folder, 'bad.safetensors');
      await writeFile(path, bytes);
      await assert.rejects(readSafetensors(path), (error: Error) => {
        assert.ok(error instanceof UserError, error.stack);
        assert.match(error.message, message);
        assert.match(error.message, /bad\.safetensors/);
        return true;
      });
    });
  }

  it('names a file that is not there', async () => {
    await assert.rejects(readSafetensors(join(folder, 'absent.safetensors')), /absent\.safetensors can't be opened/);
  });

  it('passes over PyTorch’s batch counters, whatever their type', async () => {
    const path = join(folder, 'counter.safetensors');
    const header = {
      'bn1.num_batches_tracked': { dtype: 'I64', shape: [], data_offsets: [0, 8] },
      x: { dtype: 'F32', shape: [1], data_offsets: [8, 12] },
    };
    await writeFile(path, encode(header, Buffer.from('00000000000000000000803f', 'hex')));
    assert.deepEqual([...(await readSafetensors(path)).weights], [['x', { shape: [1], data: Float32Array.of(1) }]]);
  });
});
