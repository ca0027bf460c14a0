// Files as browsers get them: opaque, and with nothing that turns them. What libvips decodes of them shows it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { openImage } from '#src/data/decode-whole.js';
import { Refusal } from '#src/data/refusal.js';
import { plainFile } from '#src/page/plain-file.js';

const fixture = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../tests/data/fixtures/${name}`, import.meta.url)));

const plain = async (file: Uint8Array) => {
  const { file: changed, ...rest } = await plainFile(new Uint8Array(file));
  return { file: Buffer.from(changed), ...rest };
};

const xmp = (orientation: number) =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="${orientation}"/></rdf:RDF></x:xmpmeta>`;

const small = () => sharp(fixture('small.png'));
const formats: readonly (readonly [name: string, encode: (image: Sharp) => Sharp])[] = [
  ['JPEG', (image) => image.jpeg()],
  ['PNG', (image) => image.png()],
  ['WebP', (image) => image.webp({ lossless: true })],
];

describe('what turns an image', () => {
  for (const [name, encode] of formats) {
    test(`is read from a ${name}`, async () => {
      for (let orientation = 1; orientation <= 8; orientation++) {
        const byExif = await encode(small().withMetadata({ orientation })).toBuffer();
        assert.equal((await plain(byExif)).orientation, orientation);
        const byXmp = await encode(small().withXmp(xmp(orientation))).toBuffer();
        assert.equal((await plain(byXmp)).orientation, orientation);
      }
      assert.equal((await plain(await encode(small()).toBuffer())).orientation, 1);
    });
  }

  for (const [name, encode] of formats.filter(([format]) => format !== 'PNG')) {
    test(`is taken from a ${name}, and nothing else`, async () => {
      const file = await encode(small().withMetadata({ orientation: 6 })).toBuffer();
      const { file: without } = await plain(file);
      assert.equal((await sharp(without).metadata()).orientation, undefined);
      assert.ok((await sharp(without).raw().toBuffer()).equals(await sharp(file).raw().toBuffer()));
    });
  }
});

describe('opacity is taken from', () => {
  const transparent = () => sharp(fixture('transparent.png'));
  const files: readonly (readonly [name: string, file: () => Promise<Buffer>])[] = [
    ['a WebP', () => transparent().webp().toBuffer()],
    ['a GIF', async () => fixture('transparent.gif')],
    ['an AVIF', () => transparent().avif({ effort: 0 }).toBuffer()],
  ];
  for (const [name, file] of files) {
    test(`${name}, and its colours stay`, async () => {
      const original = await file();
      const { file: opaque } = await plain(original);
      assert.ok(!(await sharp(opaque).metadata()).hasAlpha);
      const colours = await sharp(opaque).toColourspace('srgb').raw().toBuffer();
      const { read } = await openImage(original, false);
      assert.ok(colours.equals(Buffer.from(await read())));
    });
  }
});

test('an AVIF keeps what turns it, which is known besides', async () => {
  const { orientation, isTurnedByBrowsers, file } = await plain(fixture('turned.avif'));
  assert.ok(orientation > 1 && isTurnedByBrowsers);
  assert.ok(file.equals(fixture('turned.avif')));
});

test('what has nothing to lose stays as it is', async () => {
  for (const name of ['exact.jpg', 'small.png', 'animated.gif']) {
    assert.ok((await plain(fixture(name))).file.equals(fixture(name)), name);
  }
});

describe('refused is', () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300"/>';
  for (const [name, file, why] of [
    ['a JPEG without an end', fixture('exact.jpg').subarray(0, -2), /truncated/],
    ['a JPEG whose segment reaches beyond its end', Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 1]), /truncated/],
    ['a WebP without an end', fixture('transparent.webp').subarray(0, -9), /truncated/],
    ['a TIFF', fixture('float.tif'), /TIFF, which browsers do not read/],
    ['an SVG', Buffer.from(svg), /no image of a format that is read/],
    ['a text', Buffer.from('no image'), /no image of a format that is read/],
    ['nothing', Buffer.alloc(0), /no image of a format that is read/],
  ] as const) {
    test(name, async () => {
      await assert.rejects(plain(file), (error) => error instanceof Refusal && why.test(error.message));
    });
  }
});
