import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitWeights } from '#src/weights/fit-weights.js';
import { renameByOrder } from '#src/weights/lite-names.js';
import type { ExpectedTensor, StateDict } from '#src/weights/state-dict.js';

const expected: readonly ExpectedTensor[] = [
  { name: 'conv_stem.weight', shape: [4, 3, 3, 3] },
  { name: 'bn1.weight', shape: [4] },
  { name: 'bn1.bias', shape: [4] },
  { name: 'classifier.weight', shape: [5, 4] },
  { name: 'classifier.bias', shape: [5] },
];
const options = { head: 'classifier', source: 'lite.pth' };

/** As the packages have them, for a network of `classes`; a change replaces a tensor's name or shape. */
function lite(classes: number, changes: Readonly<Record<string, [name: string, shape: number[]]>> = {}): StateDict {
  const tensors: [string, number[]][] = [
    ['_conv_stem.weight', [4, 3, 3, 3]],
    ['_bn0.weight', [4]],
    ['_bn0.bias', [4]],
    ['_fc.weight', [classes, 4]],
    ['_fc.bias', [classes]],
  ];
  return new Map(
    tensors.map((tensor, index) => {
      const [name, shape] = changes[tensor[0]] ?? tensor;
      return [name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(index) }];
    }),
  );
}

test('each tensor gets the name of the one at its place', () => {
  const found = lite(5);
  const { weights, replacedHead } = fitWeights(expected, found, options);
  assert.equal(replacedHead, false);
  assert.deepEqual(
    [...weights.keys()],
    expected.map(({ name }) => name),
  );
  assert.equal(weights.get('bn1.bias'), found.get('_bn0.bias'));
  assert.equal(weights.get('classifier.weight'), found.get('_fc.weight'));
});

test('a head of another number of classes is left out', () => {
  const { weights, replacedHead } = fitWeights(expected, lite(1000), options);
  assert.equal(replacedHead, true);
  assert.deepEqual([...weights.keys()], ['conv_stem.weight', 'bn1.weight', 'bn1.bias']);
});

const mistakes: [string, StateDict, RegExp][] = [
  ['another shape', lite(5, { '_bn0.bias': ['_bn0.bias', [3]] }), /expected bn1.bias \[4\], found _bn0.bias \[3\]/],
  ['another kind', lite(5, { '_bn0.bias': ['_bn0.running_mean', [4]] }), /found _bn0.running_mean \[4\]/],
  ['a head of another width', lite(5, { '_fc.weight': ['_fc.weight', [5, 3]] }), /found _fc.weight \[5, 3\]/],
  ['fewer tensors', new Map([...lite(5)].slice(1)), /expected 5 tensors, found 4/],
];
for (const [what, found, message] of mistakes) {
  test(`${what} is refused`, () => {
    assert.throws(() => renameByOrder(expected, found, options), message);
  });
}
