import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHalf } from '#src/export/half.js';
import { toFloat32 } from '#src/weights/element-types.js';

test('every 16-bit number comes back from float32 as it was', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, index) => index);
  const isNumber = (bits: number) => (bits & 0x7fff) <= 0x7c00;
  const floats = toFloat32(new Uint8Array(all.buffer), 'F16');
  const back = toHalf(floats);
  assert.deepEqual(
    all.filter(isNumber),
    back.filter((_, index) => isNumber(index)),
  );
});

test('numbers between two are rounded to the nearer, and in the middle to the even one', () => {
  const step = 2 ** -10;
  const values = [1 + step / 2, 1 + 1.5 * step, 1 + step / 2 + 2 ** -23, 2 - step / 4, 2 ** -24 / 2, 1.5 * 2 ** -24];
  assert.deepEqual([...toHalf(Float32Array.from(values))], [0x3c00, 0x3c02, 0x3c01, 0x4000, 0, 2]);
});

test('what is too large becomes infinite, and what is no number stays none', () => {
  assert.deepEqual([...toHalf(Float32Array.of(65_504, 65_520, -1e9, Number.NaN))], [0x7bff, 0x7c00, 0xfc00, 0x7e00]);
});
