// Every kind of PNG, of random bytes, against what training decodes.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import { openImage } from '#src/data/decode-whole.js';
import { Refusal } from '#src/data/refusal.js';
import { pngPixels } from '#src/page/png-pixels.js';

/** By their colour types: the samples of a pixel, and how many bits they may have. */
const kinds = [
  { name: 'grey', type: 0, samples: 1, depths: [1, 2, 4, 8, 16] },
  { name: 'RGB', type: 2, samples: 3, depths: [8, 16] },
  { name: 'palette', type: 3, samples: 1, depths: [1, 2, 4, 8] },
  { name: 'grey and alpha', type: 4, samples: 2, depths: [8, 16] },
  { name: 'RGB and alpha', type: 6, samples: 4, depths: [8, 16] },
] as const;

interface Case {
  type: number;
  samples: number;
  depth: number;
  width: number;
  height: number;
  isInterlaced?: boolean;
}

/** The sides of the passes of an interlaced image, or of the only one. */
function passSides({ width, height, isInterlaced = false }: Case): readonly (readonly [number, number])[] {
  if (!isInterlaced) return [[width, height]];
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const;
  return passes.map(([left, top, across, down]) => [
    Math.ceil((width - left) / across),
    Math.ceil((height - top) / down),
  ]);
}

function noise(count: number, seed: number): Buffer {
  let state = seed;
  return Buffer.from(
    Uint8Array.from({ length: count }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 24;
    }),
  );
}

function chunk(name: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name), content]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(content.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

/** A file whose rows are filtered in all ways, with transparency by a chunk where there is no alpha. */
function pngOf(of: Case): Buffer {
  const { type, samples, depth, width, height, isInterlaced = false } = of;
  let filter = 0;
  const rows = passSides(of).flatMap(([columns, count]) =>
    columns === 0
      ? []
      : Array.from({ length: count }, (_, row) => {
          const bytes = noise(1 + Math.ceil((columns * samples * depth) / 8), row + columns * 99 + depth);
          filter = (filter + 1) % 5;
          bytes[0] = filter;
          return bytes;
        }),
  );
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, depth, type, 0, 0, isInterlaced ? 1 : 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(type === 3 ? [chunk('PLTE', noise(3 * 2 ** depth, 7))] : []),
    ...(type === 4 || type === 6 ? [] : [chunk('tRNS', type === 3 ? Buffer.from([9, 0]) : Buffer.alloc(2 * samples))]),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Red, green, blue of what the page reads. */
async function pageColours(file: Buffer): Promise<Buffer> {
  const { data } = await pngPixels(new Uint8Array(file));
  assert.ok(data.every((value, index) => index % 4 < 3 || value === 255));
  return Buffer.from(data.filter((_, index) => index % 4 < 3));
}

describe("a PNG's pixels are training's", () => {
  for (const { name, depths, ...kind } of kinds) {
    for (const depth of depths) {
      for (const isInterlaced of [false, true]) {
        test(`${name} of ${depth} bits${isInterlaced ? ', interlaced' : ''}`, async () => {
          for (const [width, height] of [
            [37, 23],
            [1, 1],
            [5, 3],
          ] as const) {
            const file = pngOf({ ...kind, depth, width, height, isInterlaced });
            const image = await openImage(file, false);
            assert.ok((await pageColours(file)).equals(await image.read()), `${width} x ${height}`);
          }
        });
      }
    }
  }
});

describe('a PNG is refused', () => {
  const file = pngOf({ type: 6, samples: 4, depth: 8, width: 37, height: 23 });
  const changed = Buffer.from(file);
  changed[file.length >> 1] = (changed[file.length >> 1] ?? 0) ^ 0xff;
  for (const [what, bytes] of [
    ['cut short', file.subarray(0, file.length / 2)],
    ['without its pixels', file.subarray(0, 50)],
    ['that is its signature', file.subarray(0, 8)],
    ['with another byte', changed],
    ['of a colour type that there is not', Buffer.from(file.map((value, index) => (index === 25 ? 5 : value)))],
  ] as const) {
    test(what, async () => {
      await assert.rejects(pngPixels(new Uint8Array(bytes)), Refusal);
    });
  }
});
