import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imagenetClasses } from '#src/inference/imagenet-classes.js';
import { createPredictor, csvPredictions, jsonPredictions } from '#src/inference/predictions.js';
import { readCsvRows } from '#src/reporting/csv.js';

const probabilities = Float32Array.of(0.125, 0.625, 0.25);
const result = (path: string) => ({ path, label: -1, probabilities, logProbabilities: probabilities.map(Math.log) });
const classes = ['alley', 'beach', 'corn field'];

describe('a prediction', () => {
  const predictionOf = createPredictor(classes, 2);

  test('tells the most likely classes, and whether the folder says the same', () => {
    const top = [
      { category: 'beach', probability: 0.625 },
      { category: 'corn field', probability: 0.25 },
    ];
    assert.deepEqual(predictionOf(result('x.jpg')), { image: 'x.jpg', top });
    const known = { image: 'beach/1/x.jpg', top, trueClass: 'beach', isCorrect: true };
    assert.deepEqual(predictionOf(result('beach/1/x.jpg')), known);
    assert.equal(predictionOf(result('beach/alley/x.jpg')).isCorrect, false);
    // The file itself is no folder.
    assert.equal(predictionOf(result('beach')).trueClass, undefined);
  });

  test("knows ImageNet's classes by their WordNet ids", () => {
    const names = imagenetClasses.map(({ name }) => name);
    const scores = Float32Array.from(names, (name) => (name === 'espresso' ? 1 : 0));
    const { trueClass, isCorrect } = createPredictor(
      names,
      1,
    )({
      ...{ path: 'n07920052/1.JPEG', label: -1, probabilities: scores, logProbabilities: scores },
    });
    assert.deepEqual({ trueClass, isCorrect }, { trueClass: 'espresso', isCorrect: true });
  });

  test('is a row of a table that any name survives', () => {
    const format = csvPredictions(2, { explains: true });
    const path = 'beach/a, "b"\né.jpg';
    const { rows } = readCsvRows(
      format.heading +
        format.line(predictionOf(result(path), 'why.jpg')) +
        format.line(predictionOf({ path: 'y.jpg', error: 'an empty file' })),
    );
    assert.deepEqual(rows, [
      [
        'image',
        'category',
        'probability',
        'category_2',
        'probability_2',
        'true_class',
        'correct',
        'explanation',
        'error',
      ],
      [path, 'beach', '0.625000', 'corn field', '0.250000', 'beach', 'true', 'why.jpg', ''],
      ['y.jpg', '', '', '', '', '', '', '', 'an empty file'],
    ]);
  });

  test('has no more classes than there are', () => {
    const { rows } = readCsvRows(csvPredictions(4, { explains: false }).line(createPredictor(classes, 4)(result('x'))));
    assert.deepEqual(rows[0]?.slice(5), ['alley', '0.125000', '', '', '', '', '']);
  });

  test('is a line of JSON', () => {
    const lines = jsonPredictions(2).line(predictionOf(result('beach/a\nb.jpg')));
    assert.ok(lines.endsWith('}\n') && !lines.slice(0, -1).includes('\n'));
    assert.deepEqual(JSON.parse(lines), {
      image: 'beach/a\nb.jpg',
      category: 'beach',
      probability: 0.625,
      top: [
        { category: 'beach', probability: 0.625 },
        { category: 'corn field', probability: 0.25 },
      ],
      true_class: 'beach',
      correct: true,
    });
    assert.deepEqual(
      JSON.parse(jsonPredictions(1).line(createPredictor(classes, 1)({ path: 'y', error: 'a folder' }))),
      {
        image: 'y',
        error: 'a folder',
      },
    );
  });
});

test("ImageNet's classes are 1,000, each with a name and an id of its own, in the order of the ids", () => {
  const ids = imagenetClasses.map(({ wordnetId }) => wordnetId);
  assert.equal(new Set(ids).size, 1000);
  assert.equal(new Set(imagenetClasses.map(({ name }) => name)).size, 1000);
  assert.deepEqual(ids, [...ids].sort());
  for (const { wordnetId, name } of imagenetClasses)
    assert.ok(/^n\d{8}$/.test(wordnetId) && name.trim() === name && name);
  assert.equal(imagenetClasses[285]?.name, 'Egyptian cat');
  assert.equal(imagenetClasses[967]?.name, 'espresso');
});
