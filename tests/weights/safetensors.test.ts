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
  const f32 = (begin: number) => ({ dtype: 'F32', shape: [1], data_offsets: [begin, begin + 4] });
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
    [
      'a type that is not read',
      encode(entry({ dtype: 'F8_E4M3', shape: [8] }), eight),
      /numbers of type F8_E4M3 \(x\)/,
    ],
    ['a type by the name of a method', encode(entry({ dtype: 'toString', shape: [8] }), eight), /type toString \(x\)/],
    ['a hole before a tensor', encode(entry({ data_offsets: [4, 12] }), Buffer.alloc(12)), /a hole from byte 0 to 4/],
    ['a hole between tensors', encode({ x: f32(0), y: f32(8) }, Buffer.alloc(12)), /a hole from byte 4 to 8/],
    [
      'overlapping tensors',
      encode({ x: f32(0), y: f32(2) }, Buffer.alloc(6)),
      /y over the tensor before it, from byte 2/,
    ],
    ['two tensors in one place', encode({ x: f32(0), y: f32(0) }, Buffer.alloc(4)), /y over the tensor before it/],
    ['bytes after the last tensor', encode({ x: f32(0) }, eight), /4 bytes after its last tensor/],
    ['data without tensors', encode({}, eight), /8 bytes after its last tensor/],
    [
      'a name that is there twice',
      encode(`{"a": {}, "x": ${JSON.stringify(f32(0))}, "\\u0078" : ${JSON.stringify(f32(0))}}`, Buffer.alloc(4)),
      /x twice/,
    ],
    ['metadata that is a list', encode({ __metadata__: [] }), /metadata that is no JSON object/],
    ['metadata that is nested', encode({ __metadata__: { a: [[]] } }), /metadata a that is no text/],
    [
      'a header deep enough to overflow a stack',
      encode(`{"__metadata__": {"a": ${'['.repeat(1e6)}${']'.repeat(1e6)}}}`),
      /metadata a that is no text|no JSON/,
    ],
    ['a tensor called __metadata__ twice', encode('{"__metadata__":{},"__metadata__":{}}'), /__metadata__ twice/],
    ['a fractional size', encode(entry({ shape: [1.5] }), eight), /no type, shape and place for x/],
    [
      'a size that no number holds',
      encode('{"x":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}', eight),
      /for x/,
    ],
    ['a control character', encode({ 'x\u001b[2J': {} }), /for x\ufffd\[2J/],
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

  const types: [string, string, number[]][] = [
    ['F64', '000000000000e03f00000000000004c0', [0.5, -2.5]],
    ['F16', '0038003c00c0ff7b010000800002', [0.5, 1, -2, 65504, 2 ** -24, -0, 2 ** -15]],
    ['F16', '007c00fc007e', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]],
    ['BF16', '003f80bf4940', [0.5, -1, 3.140625]],
    ['I64', 'fdffffffffffffff0000000001000000', [-3, 2 ** 32]],
    ['I32', 'fdffffff00000100', [-3, 65536]],
    ['I16', 'fdff0001', [-3, 256]],
    ['I8', 'fd7f', [-3, 127]],
    ['U8', 'fd7f', [253, 127]],
    ['BOOL', '0100', [1, 0]],
  ];
  for (const [dtype, hex, values] of types) {
    it(`reads ${dtype} as float32 (${values.join(', ')})`, async () => {
      const path = join(folder, 'type.safetensors');
      const data = Buffer.from(hex, 'hex');
      await writeFile(path, encode({ x: { dtype, shape: [values.length], data_offsets: [0, data.length] } }, data));
      const { weights } = await readSafetensors(path);
      assert.deepEqual([...weights], [['x', { shape: [values.length], data: Float32Array.from(values) }]]);
    });
  }

  it('takes names that JavaScript has a meaning for as names', async () => {
    const path = join(folder, 'names.safetensors');
    const json = `{"__metadata__": {"__proto__": "text"}, "__proto__": ${JSON.stringify(f32(0))}}`;
    await writeFile(path, encode(json, Buffer.alloc(4)));
    const { weights, metadata } = await readSafetensors(path);
    assert.deepEqual([...weights.keys()], ['__proto__']);
    assert.deepEqual(Object.entries(metadata), [['__proto__', 'text']]);
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
  });
});
