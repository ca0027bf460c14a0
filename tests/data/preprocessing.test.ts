import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cropOffset, preprocessings, resizedSize } from '#src/data/preprocessing.js';

test('the short side becomes 256 and the long side is truncated', () => {
  // torchvision: int(256 * long / short)
  for (const [from, to] of [
    [
      [256, 256],
      [256, 256],
    ],
    [
      [500, 375],
      [341, 256],
    ],
    [
      [375, 500],
      [256, 341],
    ],
    [
      [640, 427],
      [383, 256],
    ],
    [
      [100, 67],
      [382, 256],
    ],
    [
      [1, 2000],
      [256, 512000],
    ],
    [
      [257, 256],
      [257, 256],
    ],
  ] as const) {
    const [width, height] = from;
    assert.deepEqual(resizedSize({ width, height }, 256), { width: to[0], height: to[1] });
  }
});

test('half a pixel of crop offset goes to the even neighbour', () => {
  // Python: int(round((size - 224) / 2.0))
  for (const [size, offset] of [
    [224, 0],
    [225, 0],
    [226, 1],
    [227, 2],
    [229, 2],
    [231, 4],
    [256, 16],
    [341, 58],
    [343, 60],
  ] as const) {
    assert.deepEqual(cropOffset({ width: size, height: 256 }, 224), { left: offset, top: 16 });
    assert.deepEqual(cropOffset({ width: 256, height: size }, 224), { left: 16, top: offset });
  }
});

test('every preprocessing can be divided by its standard deviation', () => {
  for (const { resize, crop, std } of Object.values(preprocessings)) {
    assert.ok(crop <= resize);
    assert.ok(std.every((value) => value > 0));
  }
});
