import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '#src/errors.js';
import { readWeightsFile } from '#src/weights/weights-file.js';
import { dict, global, integer, type LegacyFile, legacyFile, op, tensor, text, tuple } from './pickle-writer.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'torch-file-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function read(bytes: Buffer) {
  const path = join(folder, 'file.pt');
  await writeFile(path, bytes);
  return (await readWeightsFile(path)).weights;
}

async function assertRefused(bytes: Buffer, message: RegExp): Promise<void> {
  await assert.rejects(read(bytes), (error: Error) => {
    assert.ok(error instanceof UserError, error.stack);
    assert.match(error.message, message);
    return true;
  });
}

const twoFloats = Buffer.from('0000c03f000000c0', 'hex');
const twoValues = { shape: [2], data: Float32Array.of(1.5, -2) };

describe('the legacy format', () => {
  it('holds what its pickles and storages say', async () => {
    const weights = await read(legacyFile({ object: dict({ x: tensor() }) }));
    assert.deepEqual([...weights], [['x', twoValues]]);
  });

  it('may have parameters and dicts of Python 2 and of old PyTorch', async () => {
    const parameter = Buffer.concat([
      global('torch.nn.parameter', 'Parameter'),
      tuple(tensor(), op('\x88')),
      op('\x81'),
      op(')b'),
    ]);
    const pairs = Buffer.concat([op(']('), op('](U\x01x'), parameter, op('ee')]);
    const object = Buffer.concat([global('collections', 'OrderedDict'), pairs, op('\x85R'), op('}b')]);
    assert.deepEqual([...(await read(legacyFile({ object })))], [['x', twoValues]]);
  });

  const mistakes: [string, Partial<LegacyFile>, RegExp][] = [
    ['another magic number', { magic: integer(1) }, /a pickle that PyTorch did not write/],
    ['another version', { version: 1002 }, /version 1002 of PyTorch's format/],
    ['big-endian values', { system: dict({ little_endian: op('\x89') }) }, /big-endian/],
    ['no facts about the machine', { system: op('N') }, /big-endian/],
    [
      'a count that differs',
      { storages: { 0: { count: 3, bytes: twoFloats } } },
      /3 elements of storage 0 instead of 2/,
    ],
    ['a negative count', { storages: { 0: { count: 2n ** 64n - 1n, bytes: twoFloats } } }, /-1 elements of storage 0/],
    ['a storage cut short', { storages: { 0: { count: 2, bytes: twoFloats.subarray(1) } } }, /storages up to byte/],
    ['a storage that is missing', { storages: {} }, /no storage 0/],
    ['a storage too many', { storages: { 1: { bytes: twoFloats } } }, /storage 1, which no tensor uses/],
  ];
  for (const [what, change, message] of mistakes) {
    it(`is refused with ${what}`, () =>
      assertRefused(legacyFile({ object: dict({ x: tensor() }), ...change }), message));
  }
});

describe('tensors', () => {
  const mistakes: [string, Buffer, RegExp][] = [
    ['past its storage', tensor({ shape: [3] }), /x past the end of its storage/],
    ['past its storage by offset', tensor({ offset: 1 }), /x past the end of its storage/],
    ['past its storage by a stride', tensor({ strides: [2] }), /x past the end of its storage/],
    ['past it by more than a number holds', tensor({ shape: [2 ** 52], strides: [2 ** 52] }), /x past the end/],
    ['of an absurd size', tensor({ shape: [2 ** 40], strides: [0] }), /1099511627776 values in a file of \d+ bytes/],
    ['of absurd sizes', tensor({ shape: [2 ** 50, 2 ** 50], strides: [0, 0] }), /values in a file of \d+ bytes/],
    ['of a size no number holds', tensor({ shape: [2n ** 62n] }), /a tensor without a place/],
    ['of negative size', tensor({ shape: [-1] }), /a tensor without a place/],
    ['of negative stride', tensor({ offset: 1, strides: [-1] }), /a tensor without a place/],
    ['of negative offset', tensor({ offset: -1 }), /a tensor without a place/],
    ['with too many strides', tensor({ strides: [1, 1] }), /a tensor of 1 axes with 2 strides/],
    [
      'with too many axes',
      tensor({ shape: Array(33).fill(1), strides: Array(33).fill(1) }),
      /a tensor without a place/,
    ],
    ['that is negated', tensor({ rest: [dict({ neg: op('\x88') })] }), /a tensor with extra attributes/],
    ['of complex numbers', tensor({ storageType: 'ComplexFloatStorage' }), /found torch\.ComplexFloatStorage/],
    [
      'of a storage within one',
      tensor({ storageRest: [tuple(text('1'), integer(0), integer(1))] }),
      /a storage inside another/,
    ],
    ['of no storage', Buffer.concat([text('x'), op('Q')]), /a reference to something outside/],
    ['of a storage with an absurd size', tensor({ count: 2 ** 50 }), /2 elements of storage 0 instead of/],
    ['given a state', Buffer.concat([tensor(), op(')b')]), /a state for something that has none/],
  ];
  for (const [what, object, message] of mistakes) {
    it(`${what} are refused`, () => assertRefused(legacyFile({ object: dict({ x: object }) }), message));
  }

  it('of one storage in two forms are refused', async () => {
    const object = dict({ x: tensor(), y: tensor({ storageType: 'HalfStorage', count: 4 }) });
    await assertRefused(legacyFile({ object }), /storage 0 in two forms/);
  });

  it('that repeat values may be larger than the file, a little', async () => {
    const weights = await read(legacyFile({ object: dict({ x: tensor({ shape: [1000, 2], strides: [0, 1] }) }) }));
    assert.equal(weights.get('x')?.data.length, 2000);
    assert.deepEqual([...(weights.get('x')?.data.subarray(-2) ?? [])], [1.5, -2]);
  });

  it('that are many views of one storage are bounded together', async () => {
    const half = tensor({ shape: [2 ** 19], strides: [0] });
    const object = dict({ x: half, y: half, z: half });
    await assertRefused(legacyFile({ object }), /1572864 values in a file of \d+ bytes/);
  });

  it('made into many dicts are refused before it takes long', async () => {
    const list = op(`](${'N'.repeat(50_000)}eq\x00`);
    const copies = Buffer.concat([
      global('collections', 'OrderedDict'),
      op('q\x01'),
      op('h\x01h\x00\x85R0'.repeat(50_000)),
    ]);
    await assertRefused(legacyFile({ object: Buffer.concat([list, copies]) }), /one list made into many dicts/);
  });
});

describe('checkpoints', () => {
  const inside = dict({ x: tensor() });
  const cases: [string, Buffer][] = [
    ['state_dict', dict({ epoch: integer(1), state_dict: inside, optimizer: dict({ state: op('}') }) })],
    ['model_state_dict', dict({ model_state_dict: inside, loss: op('N') })],
    ['model, before its moving average', dict({ model_ema: dict({ y: tensor() }), model: inside })],
    ['a dict in a dict', dict({ model: dict({ state_dict: inside, more: op('N') }) })],
    ['DataParallel', dict({ 'module.x': tensor() })],
    ['torch.compile', dict({ '_orig_mod.module.x': tensor() })],
  ];
  for (const [what, object] of cases) {
    it(`are read: ${what}`, async () => {
      assert.deepEqual([...(await read(legacyFile({ object })))], [['x', twoValues]]);
    });
  }

  it('keep a prefix that not all names have', async () => {
    const object = dict({ 'module.x': tensor(), y: tensor() });
    assert.deepEqual([...(await read(legacyFile({ object }))).keys()], ['module.x', 'y']);
  });

  const mistakes: [string, Buffer, RegExp][] = [
    ['an empty dict', op('}'), /expected a dict of tensors, or one of state_dict, .* found an empty dict/],
    ['other keys', dict({ a: op('N'), b: integer(1) }), /found a, b\./],
    ['a stranger among the tensors', dict({ x: tensor(), y: op('N') }), /found y\./],
    ['a list', op(']'), /an object that is no dict of tensors/],
    ['a tensor alone', tensor(), /a single tensor without a name/],
    [
      'a dict without end',
      Buffer.concat([op('}q\x00'), text('model'), op('h\x00s')]),
      /no weights where they are sought/,
    ],
  ];
  for (const [what, object, message] of mistakes) {
    it(`are refused: ${what}`, () => assertRefused(legacyFile({ object, storages: {} }), message));
  }
});
