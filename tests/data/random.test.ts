import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { epochOrder, MersenneTwister, randperm } from '#src/data/random.js';

// torch.randperm(n, generator=torch.Generator().manual_seed(42)): its first ten, and the SHA-256 of all, comma-joined.
const permutations: readonly [n: number, first: readonly number[], sha256: string][] = [
  [5, [2, 4, 3, 0, 1], '3723be48d09d247ab22a95755eeb38eb2dbf9e1413fdb9eb02ae018c62f9c082'],
  [7, [1, 6, 3, 5, 4, 0, 2], '0e21f1515d4006395ace86ed6526185f433c4f0e66e88a08b4401f0d93fd744d'],
  [10, [2, 6, 1, 8, 4, 5, 0, 9, 3, 7], '0b07e3cf7637f63a1b6f833d944a63653f00eb374ee4fdb1d0e7bd275f6cd83d'],
  [50, [42, 17, 30, 34, 20, 25, 0, 8, 36, 18], '9046d3a13cf3b09c8725c31c3d2bc70dfc350f7160c1ec17e303f043a359a347'],
  [
    1000,
    [542, 618, 816, 68, 94, 215, 60, 585, 942, 165],
    '7f2b21560580e6b84416e6a04019dd2d39eb3ef7fd4b91be7f2e683cf919fa5e',
  ],
  [
    49990,
    [9332, 28875, 17098, 1310, 20560, 2265, 41666, 23793, 36266, 15031],
    '9881e4537ce762ab6200a45d6e693c6a43cd6a244e3251bea005dcccf9cb208e',
  ],
];

for (const [n, first, sha256] of permutations) {
  test(`randperm(${n}) is PyTorch's`, () => {
    const drawn = randperm(n, new MersenneTwister(42));
    assert.deepEqual([...drawn.subarray(0, 10)], first);
    assert.equal(createHash('sha256').update(drawn.join(',')).digest('hex'), sha256);
  });
}

test('MT19937 gives the numbers of its reference', () => {
  // The C++ standard fixes the 10000th number of std::mt19937 with its default seed.
  const random = new MersenneTwister(5489);
  for (let i = 1; i < 10000; i++) random.nextUint32();
  assert.equal(random.nextUint32(), 4123659995);
});

test('only the lowest 32 bits of a seed count', () => {
  const first = (seed: number) => new MersenneTwister(seed).nextUint32();
  assert.equal(first(2 ** 40 + 42), first(42));
  assert.equal(first(-1), first(2 ** 32 - 1));
});

test('an epoch order is a permutation that depends on seed and epoch alone', () => {
  const order = epochOrder(100, 7, 3);
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    [...Array(100).keys()],
  );
  assert.deepEqual(epochOrder(100, 7, 3), order);
  const others = [epochOrder(100, 7, 4), epochOrder(100, 8, 3), epochOrder(100, 8, 2), epochOrder(100, -7, 3)];
  for (const other of others) assert.notDeepEqual(other, order);
});

test('nothing and a single image have an order', () => {
  assert.deepEqual([...epochOrder(0, 1, 1)], []);
  assert.deepEqual([...epochOrder(1, 1, 1)], [0]);
});
