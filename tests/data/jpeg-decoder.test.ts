// The fast decoder: JPEGs equal torchvision's Resize and CenterCrop on Pillow 13 to the bit, and what is not for it goes
// to sharp. The hashes are of Pillow's pixels, the first 16 digits of their SHA-256.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeImage, decodeWithSharp } from '#src/data/decode.js';
import { type Interpolation, preprocessings } from '#src/data/preprocessing.js';
import { type JpegDecoder, loadJpegDecoder } from '#src/tensorflow/jpeg-decoder.js';
import { temporaryFolder } from './temporary-folder.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../../tests/data/fixtures/${name}`, import.meta.url));

function requireDecoder(): JpegDecoder {
  const decoder = loadJpegDecoder();
  assert.ok(decoder, "set-up did not build the decoder: PyPI's TensorFlow has what it needs");
  return decoder;
}

const pillow: readonly [name: string, resize: number, crop: number, interpolation: Interpolation, hash: string][] = [
  ['exact.jpg', 256, 224, 'bilinear', '547c3780d47f5f91'],
  ['exact.jpg', 256, 224, 'bicubic', '547c3780d47f5f91'],
  ['exact.jpg', 600, 500, 'bilinear', '89464718a113634e'],
  ['wide.jpg', 256, 224, 'bilinear', '2e629c3ec9a05ac3'],
  ['wide.jpg', 256, 224, 'bicubic', 'dd4dbb9f07328546'],
  ['wide.jpg', 600, 500, 'bilinear', 'bdd4681df272e9db'],
  ['large.jpg', 256, 224, 'bilinear', '5e7a39a9614cb860'],
  ['large.jpg', 256, 224, 'bicubic', 'c54448b5322fec0c'],
  ['large.jpg', 600, 500, 'bilinear', '7c06ba81db24551b'],
  ['grey.jpg', 256, 224, 'bilinear', '37fdbe806ce0fca6'],
  ['grey.jpg', 256, 224, 'bicubic', 'dada4ac378a802e9'],
  ['grey.jpg', 600, 500, 'bilinear', '75c2fc16a52b1000'],
  ['profile.jpg', 256, 224, 'bilinear', '2e629c3ec9a05ac3'],
  ['turned.jpg', 256, 224, 'bicubic', 'dd4dbb9f07328546'],
];

for (const [name, resize, crop, interpolation, hash] of pillow) {
  test(`${name}, ${interpolation} to ${resize}, is Pillow's to the bit`, async () => {
    const buffer = new ArrayBuffer(crop * crop * 3);
    const target = { resize, crop, interpolation, recipe: undefined, buffer, offset: 0 };
    assert.equal(await requireDecoder()(fixture(name), false, target), true);
    assert.equal(createHash('sha256').update(new Uint8Array(buffer)).digest('hex').slice(0, 16), hash);
  });

  test(`${name}, ${interpolation} to ${resize}, is the same from sharp`, async () => {
    const preprocessing = { ...preprocessings.resnet, resize, crop, interpolation };
    const buffer = new ArrayBuffer(crop * crop * 3);
    await decodeWithSharp(fixture(name), preprocessing, { recipe: undefined, buffer, offset: 0 });
    assert.deepEqual(new Uint8Array(buffer), await decodeImage(fixture(name), preprocessing));
  });
}

test('it writes where it is told and nowhere else', async () => {
  const [crop, offset] = [32, 100];
  const buffer = new ArrayBuffer(offset + crop * crop * 3 + 50);
  new Uint8Array(buffer).fill(7);
  const target = { resize: 40, crop, interpolation: 'bilinear', recipe: undefined, buffer, offset } as const;
  await requireDecoder()(fixture('wide.jpg'), false, target);
  const bytes = new Uint8Array(buffer);
  assert.ok(bytes.subarray(0, offset).every((value) => value === 7));
  assert.ok(bytes.subarray(offset + crop * crop * 3).every((value) => value === 7));
  assert.ok(bytes.subarray(offset, -50).some((value) => value !== 7));
});

test('it leaves to others what is not for it', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'empty.jpg'), '');
  writeFileSync(join(folder, 'two.jpg'), Buffer.from('ffd8', 'hex'));
  writeFileSync(join(folder, 'text.jpg'), 'no image');
  writeFileSync(join(folder, 'noise.jpg'), Buffer.from(`ffd8${'ff01c0da'.repeat(200)}`, 'hex'));
  const others = ['empty.jpg', 'two.jpg', 'text.jpg', 'noise.jpg', 'absent.jpg'].map((name) => join(folder, name));
  const target = { resize: 256, crop: 224, interpolation: 'bilinear', recipe: undefined, offset: 0 } as const;
  for (const path of [...others, folder, fixture('cmyk.jpg'), fixture('tall.png')]) {
    const buffer = new ArrayBuffer(224 * 224 * 3);
    assert.equal(await requireDecoder()(path, false, { ...target, buffer }), false, path);
  }
});

test('damaged files leave nothing on stderr, and the program its own lines', (t) => {
  const folder = temporaryFolder(t);
  const file = readFileSync(fixture('wide.jpg'));
  const paths = [5000, 9000, 13000, 17000].map((at) => {
    const damaged = Buffer.from(file);
    damaged.set([0xff, 0xc4, 0xff, 0x12], at);
    const path = join(folder, `${at}.jpg`);
    writeFileSync(path, damaged);
    return path;
  });
  const program = `
    import { decodeImage } from '#src/data/decode.js';
    import { preprocessings } from '#src/data/preprocessing.js';
    for (const path of ${JSON.stringify(paths)}) await decodeImage(path, preprocessings.resnet).catch(() => {});
    console.error('its own');
    process.abort();`;
  const cwd = fileURLToPath(new URL('../../..', import.meta.url));
  const command = ['-c', 'ulimit -c 0; exec "$0" --input-type=module -e "$1"', process.execPath, program];
  const { stderr } = spawnSync('sh', command, { cwd, encoding: 'utf8' });
  assert.equal(stderr.split('\n')[0], 'its own');
  // What Node says when it dies comes by way of C's stderr.
  assert.match(stderr, /Abort|Native stack trace|node::/);
});

test('a square that does not fit is a mistake of ours', () => {
  const target = { resize: 256, crop: 224, interpolation: 'bilinear', recipe: undefined } as const;
  const buffer = new ArrayBuffer(224 * 224 * 3);
  for (const change of [{ offset: 1 }, { offset: -1 }, { offset: 0, crop: 257 }]) {
    assert.throws(() => requireDecoder()(fixture('wide.jpg'), false, { ...target, buffer, ...change }), /internal:/);
  }
});
