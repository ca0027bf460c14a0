// The reference's numbers, recomputed by other means: by hand, and in whole numbers of any size.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fnv1a, hashedNumbers, referencePixels, referenceTensor } from '../../scripts/parity/reference.js';

test('FNV-1a agrees with its published test vectors', () => {
  // http://www.isthe.com/chongo/src/fnv/test_fnv.c
  assert.equal(fnv1a(''), 0x811c9dc5);
  assert.equal(fnv1a('a'), 0xe40c292c);
  assert.equal(fnv1a('foobar'), 0xbf9cf968);
  // Bytes of UTF-8, not characters.
  assert.equal(fnv1a('é'), naiveFnv([0xc3, 0xa9]));
});

function naiveFnv(bytes: readonly number[]): number {
  return Number(bytes.reduce((hash, byte) => ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n, 0x811c9dc5n));
}

/** The specification word by word. */
function naiveNumber(seed: number, index: number): number {
  const modulus = 2n ** 32n;
  let x = (BigInt(seed) + BigInt(index) * 0x9e3779b1n) % modulus;
  x ^= x >> 16n;
  x = (x * 0x85ebca6bn) % modulus;
  x ^= x >> 13n;
  x = (x * 0xc2b2ae35n) % modulus;
  x ^= x >> 16n;
  return (Number(x) / 2 ** 32) * 2 - 1;
}

test('hashed numbers follow the specification, far along too', () => {
  const numbers = hashedNumbers('salt', 'conv1.weight', 100_001);
  const seed = fnv1a('saltconv1.weight');
  for (const index of [0, 1, 2, 77, 100_000]) assert.equal(numbers[index], naiveNumber(seed, index));
  assert.ok(numbers.every((value) => value >= -1 && value < 1));
});

test('each kind of tensor has its range', () => {
  const range = (name: string, shape: readonly number[]) => {
    const values = referenceTensor('deep-cnn', name, shape);
    return [Math.min(...values), Math.max(...values)] as const;
  };
  const within = ([lower, upper]: readonly [number, number], from: number, to: number) => {
    const slack = (to - from) * 0.02;
    assert.ok(lower >= from && lower < from + slack && upper <= to && upper > to - slack, `${lower} to ${upper}`);
  };
  within(range('bn1.running_mean', [1000]), -0.1, 0.1);
  within(range('bn1.running_var', [1000]), 0.5, 1.5);
  within(range('bn1.weight', [1000]), 0.9, 1.1);
  within(range('bn1.bias', [1000]), -0.1, 0.1);
  // sqrt(3 / fan-in), the name notwithstanding
  within(range('conv1.weight', [100, 3, 2, 2]), -0.5, 0.5);
  within(range('relative_position.bias', [20, 75]), -0.2, 0.2);
});

test('a tensor is the hashed number, scaled and rounded to float32', () => {
  const [first] = hashedNumbers('s', 'fc.weight', 1);
  assert.deepEqual(referenceTensor('s', 'fc.weight', [1, 3]), Float32Array.from(hashedNumbers('s', 'fc.weight', 3)));
  assert.equal(
    referenceTensor('s', 'fc.weight', [1, 12])[0],
    Math.fround(0.5 * (hashedNumbers('s', 'fc.weight', 1)[0] ?? 0)),
  );
  assert.ok(first !== undefined);
});

test('pixels follow the formula, row by row, and fill up to four bytes', () => {
  const offset = fnv1a('deep-cnn') & 15;
  const pixels = referencePixels('deep-cnn', 2, 5);
  assert.equal(pixels.length, 152);
  const pixel = (n: number, y: number, x: number, c: number) => pixels[((n * 5 + y) * 5 + x) * 3 + c];
  assert.equal(pixel(0, 0, 0, 0), offset);
  // 2 (3 + 1) + 3 (5 + 2), and 2 * 3 is below 16
  assert.equal(pixel(0, 3, 2, 1), 8 + 21 + offset);
  // 4 (3 + 2) + 4 (5 + 4) + 37 + 7
  assert.equal(pixel(1, 4, 4, 2), 20 + 36 + 37 + 7 + offset);
  assert.deepEqual([...pixels.subarray(150)], [0, 0]);
});

test('pixels wrap at 256', () => {
  const pixels = referencePixels('deep-cnn', 1, 64);
  const expected = 63 * 3 + 63 * 5 + 7 * ((63 * 63) >> 4) + (fnv1a('deep-cnn') & 15);
  assert.equal(pixels[(63 * 64 + 63) * 3], expected & 255);
});
