import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { withoutOrientation } from '#src/page/orientation.js';

const fixture = (name: string) =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../../../tests/data/fixtures/${name}`, import.meta.url))));

const turned: readonly (readonly [name: string, file: () => Promise<Uint8Array<ArrayBuffer>>])[] = [
  ['JPEG', async () => fixture('turned.jpg')],
  [
    'PNG',
    async () => new Uint8Array(await sharp(fixture('small.png')).withMetadata({ orientation: 6 }).png().toBuffer()),
  ],
  [
    'WebP',
    async () => new Uint8Array(await sharp(fixture('small.png')).withMetadata({ orientation: 6 }).webp().toBuffer()),
  ],
];

for (const [name, read] of turned) {
  test(`a ${name} loses what says how to turn it, and nothing else`, async () => {
    const file = await read();
    assert.notEqual((await sharp(file).metadata()).orientation ?? 1, 1);
    const plain = Buffer.concat([...withoutOrientation(file)]);
    assert.equal((await sharp(plain).metadata()).orientation, undefined);
    assert.ok((await sharp(plain).raw().toBuffer()).equals(await sharp(file).raw().toBuffer()));
  });
}

test('what has nothing to lose stays as it is', () => {
  for (const file of [
    fixture('exact.jpg'),
    fixture('small.png'),
    new Uint8Array(),
    new Uint8Array([0xff, 0xd8, 0xff]),
  ]) {
    assert.ok(Buffer.concat([...withoutOrientation(file)]).equals(file));
  }
});

test('a segment that reaches beyond the end is the end', () => {
  const cut = new Uint8Array([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 1, 2, 3]);
  assert.deepEqual([...Buffer.concat([...withoutOrientation(cut)])], [0xff, 0xd8]);
});
