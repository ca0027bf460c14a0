import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfusionMatrix, meanScores } from '#src/inference/evaluation/confusion.js';

/** The example of scikit-learn's classification_report. */
const pairs = [
  [0, 0],
  [1, 0],
  [2, 2],
  [2, 2],
  [2, 1],
] as const;

function matrixOf(size: number, images: readonly (readonly [number, number])[]): ConfusionMatrix {
  const matrix = new ConfusionMatrix(size);
  for (const [actual, predicted] of images) matrix.add(actual, predicted);
  return matrix;
}

const rounded = (value: number | null) => value?.toFixed(0);

test('precision, recall and F1 of each class', () => {
  const scores = matrixOf(3, pairs).classScores;
  assert.deepEqual(
    scores.map(({ precision, recall, f1, support }) => [...[precision, recall, f1].map(rounded), support]),
    [
      ['50', '100', '67', 1],
      ['0', '0', '0', 1],
      ['100', '67', '80', 3],
    ],
  );
});

test('means over classes and over images', () => {
  const { macro, weighted } = meanScores(matrixOf(3, pairs).classScores);
  assert.deepEqual([macro.precision, macro.recall, macro.f1].map(rounded), ['50', '56', '49']);
  assert.deepEqual([weighted.precision, weighted.recall, weighted.f1].map(rounded), ['70', '60', '61']);
});

test('a class without images says nothing of itself and is in no mean', () => {
  const scores = matrixOf(4, pairs).classScores;
  assert.deepEqual(scores[3], { precision: null, recall: null, f1: null, support: 0 });
  assert.deepEqual(meanScores(scores), meanScores(scores.slice(0, 3)));
});

test('a class that is never predicted has no precision, which counts as 0', () => {
  const scores = matrixOf(2, [
    [0, 0],
    [1, 0],
  ]).classScores;
  assert.equal(scores[1]?.precision, null);
  assert.equal(scores[1]?.f1, 0);
  assert.equal(meanScores(scores).macro.precision, 25);
});

test('mistakes come with the commonest first', () => {
  const matrix = matrixOf(3, [...pairs, [1, 0]]);
  assert.deepEqual(matrix.mistakes(5), [
    { actual: 1, predicted: 0, images: 2 },
    { actual: 2, predicted: 1, images: 1 },
  ]);
  assert.equal(matrix.mistakes(1).length, 1);
});
