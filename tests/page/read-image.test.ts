// What browsers make of image files, and the page of that: the square that the network gets is training's, to the bit.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { decodeImage } from '#src/data/decode.js';
import { type Preprocessing, preprocessings } from '#src/data/preprocessing.js';
import { pageFiles } from '#src/export/page-files.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { lackOfChromium, launchChromium, openPage, serveFiles } from './chromium.js';
import { lackOfFirefox, launchFirefox } from './firefox.js';

const isAsked = process.env['DEEP_CNN_TEST_PAGE'] !== undefined;
const fixtures = fileURLToPath(new URL('../../../tests/data/fixtures/', import.meta.url));

/** Runs an expression in a page of some browser. */
type Evaluate = <T>(expression: string) => Promise<T>;

interface Opened {
  evaluate: Evaluate;
  close(): Promise<void>;
}

const browsers = [
  {
    name: 'Chromium',
    lack: lackOfChromium,
    // Gives away what it decodes of an AVIF.
    mostOfAvif: 0,
    async open(url: string): Promise<Opened> {
      const browser = await launchChromium();
      const { page } = await openPage(browser, url);
      return { evaluate: (expression) => page.evaluate(expression), close: () => browser.close() };
    },
  },
  {
    name: 'Firefox',
    lack: lackOfFirefox,
    mostOfAvif: 2,
    async open(url: string): Promise<Opened> {
      const { open, evaluate, close } = await launchFirefox();
      await open(url);
      return { evaluate, close };
    },
  },
];

/** Images of all kinds that are read and that browsers know. */
async function makeImages(folder: string): Promise<readonly string[]> {
  const made: string[] = [];
  const add = (name: string, bytes: Buffer) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    made.push(path);
  };
  const opaque = () => sharp(join(fixtures, 'wide.jpg'));
  for (let orientation = 1; orientation <= 8; orientation++) {
    const turned = () => opaque().withMetadata({ orientation });
    add(`turned-${orientation}.jpg`, await turned().jpeg().toBuffer());
    add(`turned-${orientation}.png`, await turned().png().toBuffer());
    add(`turned-${orientation}.webp`, await turned().webp().toBuffer());
  }
  const transparent = () => sharp(join(fixtures, 'transparent.png'));
  add('lossy.webp', await transparent().webp().toBuffer());
  add('part.webp', partOfCanvas(await transparent().resize(100, 80).webp({ lossless: true, exact: true }).toBuffer()));
  for (const chromaSubsampling of ['4:2:0', '4:4:4']) {
    add(
      `${chromaSubsampling.replaceAll(':', '')}.avif`,
      await transparent().avif({ effort: 0, chromaSubsampling }).toBuffer(),
    );
  }
  const names = readdirSync(fixtures).filter((name) => /\.(jpg|png|gif|webp|avif)$/.test(name));
  return [...names.map((name) => join(fixtures, name)), ...made];
}

/** An animation whose only picture, a WebP of 100 x 80 pixels, stands within a larger canvas (RFC 9649, 2.7). */
function partOfCanvas(webp: Buffer): Buffer {
  const chunk = (name: string, content: Buffer) => {
    const head = Buffer.alloc(8);
    head.write(name);
    head.writeUInt32LE(content.length, 4);
    return Buffer.concat([head, content]);
  };
  const number = (value: number) => Buffer.from([value & 255, value >> 8, 0]);
  const frame = [...[10, 4, 99, 79, 0].map(number), Buffer.from([0]), webp.subarray(webp.indexOf('VP8L'))];
  const chunks = [
    chunk('VP8X', Buffer.concat([Buffer.from([0x12, 0, 0, 0]), number(299), number(259)])),
    chunk('ANIM', Buffer.alloc(6)),
    chunk('ANMF', Buffer.concat(frame)),
  ];
  return chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), ...chunks]));
}

interface Found {
  /** Base 64. */
  square: string;
  note: string | null;
}

/** What the page makes of a file of the server. */
function readInPage({ evaluate }: Opened, name: string, preprocessing: Preprocessing): Promise<Found> {
  return evaluate(`(async () => {
    const { readImage } = await import(new URL('page/read-image.js', document.baseURI));
    const file = await (await fetch('images/${name}')).blob();
    const { square, note = null } = await readImage(file, ${JSON.stringify(preprocessing)});
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(new Blob([square]));
    });
    return { square: url.slice(url.indexOf(',') + 1), note };
  })()`);
}

const largest = (found: Uint8Array, expected: Uint8Array) =>
  found.reduce((most, value, index) => Math.max(most, Math.abs(value - (expected[index] ?? 0))), 0);

for (const { name: browserName, lack, mostOfAvif, open } of browsers) {
  const skip = isAsked ? lack() : '`npm run test:page` runs it';
  test(`in ${browserName} images are read as in training`, { skip }, async (t) => {
    const paths = await makeImages(temporaryFolder(t));
    const files = new Map(await pageFiles());
    files.set('index.html', Buffer.from('<!doctype html><title>Images</title>'));
    for (const path of paths) files.set(`images/${basename(path)}`, readFileSync(path));
    const server = await serveFiles(files);
    t.after(() => server.stop());
    const opened = await open(server.url);
    t.after(() => opened.close());
    for (const exif of [false, true]) {
      const preprocessing = { ...preprocessings.resnet, exif };
      for (const path of paths.filter((file) => !exif || /turned/.test(file))) {
        const { square, note } = await readInPage(opened, basename(path), preprocessing).catch((cause) => {
          throw new Error(`${basename(path)} was not read`, { cause });
        });
        const difference = largest(Buffer.from(square, 'base64'), await decodeImage(path, preprocessing));
        const isInexact = path.endsWith('.avif') && mostOfAvif > 0;
        assert.ok(difference <= (isInexact ? mostOfAvif : 0), `${basename(path)}, exif ${exif}: ${difference}`);
        assert.equal(note !== null, isInexact, `${basename(path)}: ${note}`);
      }
    }
  });
}
