import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '#src/errors.js';
import { readWeightsFile } from '#src/weights/weights-file.js';
import { dict, op, pickle, tensor } from './pickle-writer.js';
import { type ZipOptions, zipFile } from './zip-writer.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'torch-zip-'));
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

describe('the zip format', () => {
  const entries = (changes: Readonly<Record<string, Buffer | undefined>> = {}): Record<string, Buffer> => {
    const all: Record<string, Buffer | undefined> = {
      'a/data.pkl': pickle([dict({ x: tensor() })]),
      'a/byteorder': op('little'),
      'a/data/0': twoFloats,
      ...changes,
    };
    return Object.fromEntries(Object.entries(all).flatMap(([name, bytes]) => (bytes ? [[name, bytes]] : [])));
  };

  const readable: [string, Record<string, Buffer>, ZipOptions][] = [
    ['as it is', entries(), {}],
    [
      'under the name archive',
      Object.fromEntries(Object.entries(entries()).map(([k, v]) => [`archive${k.slice(1)}`, v])),
      {},
    ],
    ['without a byte order', entries({ 'a/byteorder': undefined }), {}],
    ['in 64 bits', entries(), { wide: true }],
    ['with a comment', entries(), { comment: op('PK\x05\x06 is how a table ends, and this is none') }],
  ];
  for (const [what, files, options] of readable) {
    it(`is read ${what}`, async () => {
      assert.deepEqual([...(await read(zipFile(files, options)))], [['x', twoValues]]);
    });
  }

  const whole = zipFile(entries());
  const changed = (at: number, bytes: Buffer) => {
    const copy = Buffer.from(whole);
    bytes.copy(copy, at < 0 ? copy.length + at : at);
    return copy;
  };
  const directory = whole.readUInt32LE(whole.length - 6);
  const mistakes: [string, Buffer, RegExp][] = [
    ['big-endian values', zipFile(entries({ 'a/byteorder': op('big') })), /values in big-endian order/],
    ['no storage', zipFile(entries({ 'a/data/0': undefined })), /no storage 0/],
    ['a short storage', zipFile(entries({ 'a/data/0': twoFloats.subarray(4) })), /4 bytes of storage 0 instead of 8/],
    [
      'no pickle',
      zipFile(entries({ 'a/data.pkl': undefined })),
      /not one of PyTorch's: .*found a\/byteorder, a\/data\/0/,
    ],
    ['two pickles', zipFile(entries({ 'b/data.pkl': op('.') })), /expected one data.pkl, found 2/],
    ['code', zipFile(entries({ 'a/constants.pkl': op('.') })), /is a TorchScript archive/],
    ['a name twice', zipFile(entries(), { twice: 'a/data/0' }), /a\/data\/0 twice/],
    ['a compressed entry', zipFile(entries(), { method: 8 }), /compressed or encrypted/],
    ['an encrypted entry', zipFile(entries(), { flags: 1 }), /compressed or encrypted/],
    ['more entries than it has', changed(-12, op('\x09\x00')), /ends after 3 of 9 entries/],
    ['a table past its end', changed(-6, op('\xf0\xff\xff\x7f')), /points to byte \d+ of \d+/],
    ['a table of absurd size', changed(-10, op('\xf0\xff\xff\xf0')), /a table of contents of \d+ bytes/],
    ['no 64-bit table', changed(-6, op('\xff\xff\xff\xff')), /no 64-bit table of contents/],
    ['an entry past its end', changed(directory + 42, op('\xf0\xff\xff\x7f')), /points to byte \d+ of \d+/],
    ['an entry without its 64-bit size', changed(directory + 42, op('\xff\xff\xff\xff')), /without its 64-bit size/],
    ['an entry elsewhere', changed(directory + 42, op('\x01\x00\x00\x00')), /no entry at byte 1/],
    ['an entry of absurd size', changed(directory + 24, op('\xff\xff\xff\x7f')), /a pickle of 2147483647 bytes/],
  ];
  for (const [what, bytes, message] of mistakes) {
    it(`is refused with ${what}`, () => assertRefused(bytes, message));
  }

  it('is refused where entries share bytes to seem larger than the file', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `x${index}`);
    const views = Object.fromEntries(
      names.map((name, index) => [name, tensor({ key: `${index}`, count: 10_000, shape: [1] })]),
    );
    const pickled = pickle([dict(views)]);
    const shared = Object.fromEntries(names.map((_, index) => [`a/data/${index}`, 'a/data/shared']));
    const bytes = zipFile({ 'a/data.pkl': pickled, 'a/data/shared': Buffer.alloc(40_000) }, { aliases: shared });
    await assertRefused(bytes, /storages of 12000000 bytes in a file of \d+/);
  });
});
