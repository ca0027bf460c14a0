import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  broadcastShapes,
  dimension,
  elementCount,
  formatShape,
  isFloat,
  knownDimension,
  type Shape,
  sameShape,
} from '#src/graph/types.js';

test('shapes are written with ? where a size is unknown', () => {
  assert.equal(formatShape([null, 224, 3]), '[?, 224, 3]');
  assert.equal(formatShape([]), '[]');
});

test('shapes are the same when every size is', () => {
  assert.ok(sameShape([null, 2], [null, 2]));
  assert.ok(sameShape([], []));
  assert.ok(!sameShape([null, 2], [1, 2]));
  assert.ok(!sameShape([2], [2, 1]));
});

test('elements are counted where all sizes are known', () => {
  assert.equal(elementCount([2, 3, 4]), 24);
  assert.equal(elementCount([]), 1);
  assert.equal(elementCount([5, 0]), 0);
  assert.throws(() => elementCount([null, 2]), /^Error: internal: \[\?, 2\] has no fixed number of elements$/);
});

test('axes are found from either end', () => {
  assert.equal(dimension([null, 2, 3], -1), 3);
  assert.equal(dimension([null, 2, 3], 0), null);
  assert.throws(() => dimension([2], 1), /^Error: internal: \[2\] has no axis 1$/);
  assert.equal(knownDimension([null, 2], 1), 2);
  assert.throws(() => knownDimension([null, 2], 0), /^Error: internal: axis 0 of \[\?, 2\] must have a known size$/);
});

const broadcasts: readonly (readonly [a: Shape, b: Shape, result: Shape | undefined])[] = [
  [
    [2, 3],
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3], [2, 3]],
  [
    [2, 1],
    [1, 3],
    [2, 3],
  ],
  [[], [4], [4]],
  [
    [5, 1, 2],
    [3, 1],
    [5, 3, 2],
  ],
  [[null, 3], [3], [null, 3]],
  [
    [null, 3],
    [1, 3],
    [null, 3],
  ],
  [
    [null, 3],
    [null, 1],
    [null, 3],
  ],
  [
    [0, 2],
    [1, 2],
    [0, 2],
  ],
  [[2], [3], undefined],
  [[2, 3], [2], undefined],
  // Only the running graph could tell.
  [[null], [3], undefined],
];
for (const [a, b, result] of broadcasts) {
  test(`${formatShape(a)} and ${formatShape(b)} ${result ? `broadcast to ${formatShape(result)}` : 'do not broadcast'}`, () => {
    for (const [left, right] of [
      [a, b],
      [b, a],
    ] as const) {
      if (result) assert.deepEqual(broadcastShapes(left, right), result);
      else assert.throws(() => broadcastShapes(left, right), /^Error: internal: .* do not broadcast$/);
    }
  });
}

test('floats are told from integers', () => {
  assert.deepEqual((['float32', 'bfloat16', 'float16', 'int32', 'bool', 'uint8'] as const).map(isFloat), [
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});
