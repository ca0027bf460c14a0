import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { readJpegHeader } from '#src/data/jpeg-header.js';

const grey = sharp({ create: { width: 321, height: 123, channels: 3, background: '#888' } });

test('the header gives size and components, whatever stands before it', async () => {
  const size = { width: 321, height: 123 };
  const plain = grey.clone().jpeg();
  assert.deepEqual(readJpegHeader(await plain.toBuffer()), { ...size, components: 3, precision: 8 });
  assert.deepEqual(readJpegHeader(await plain.clone().withMetadata().toBuffer()), {
    ...size,
    components: 3,
    precision: 8,
  });
  assert.deepEqual(readJpegHeader(await plain.clone().jpeg({ progressive: true }).toBuffer()), {
    ...size,
    components: 3,
    precision: 8,
  });
  assert.deepEqual(readJpegHeader(await plain.clone().toColourspace('b-w').toBuffer()), {
    ...size,
    components: 1,
    precision: 8,
  });
});

test('fill bytes before a marker are skipped', async () => {
  const file = await grey.clone().jpeg().toBuffer();
  const filled = Buffer.concat([file.subarray(0, 2), Buffer.from([0xff, 0xff]), file.subarray(2)]);
  assert.deepEqual(readJpegHeader(filled), { width: 321, height: 123, components: 3, precision: 8 });
});

test('what is no JPEG, or ends before its frame header, has none', async () => {
  assert.equal(readJpegHeader(await grey.clone().png().toBuffer()), undefined);
  assert.equal(readJpegHeader(new Uint8Array(0)), undefined);
  const file = await grey.clone().jpeg().toBuffer();
  for (let length = 0; length < file.indexOf(Buffer.from([0xff, 0xc0])); length++) {
    assert.equal(readJpegHeader(file.subarray(0, length)), undefined);
  }
});
