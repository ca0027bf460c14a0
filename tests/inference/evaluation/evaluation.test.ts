import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Calibration } from '#src/inference/evaluation/calibration.js';
import { Evaluation } from '#src/inference/evaluation/evaluation.js';
import { formatEvaluation } from '#src/inference/evaluation/report.js';

function image(label: number, ...probabilities: readonly number[]) {
  return {
    label,
    probabilities: Float32Array.from(probabilities),
    logProbabilities: Float32Array.from(probabilities, Math.log),
  };
}

test('the expected calibration error weighs the gap of each bin by its images', () => {
  const calibration = new Calibration();
  // Three in the bin of 53.3 to 60 %, one right; one in the last, right.
  for (const isCorrect of [true, false, false]) calibration.add(0.55, isCorrect);
  calibration.add(1, true);
  const { ece, bins } = calibration.result;
  assert.equal(bins.length, 15);
  assert.equal(bins[8]?.images, 3);
  assert.equal(bins[14]?.images, 1);
  assert.ok(Math.abs((bins[8]?.accuracy ?? 0) - 100 / 3) < 1e-9);
  assert.equal(bins[0]?.confidence, null);
  assert.ok(Math.abs(ece - 100 * (3 / 4) * (0.55 - 1 / 3)) < 1e-9);
});

test('a probability on the edge of two bins belongs to the lower one', () => {
  const calibration = new Calibration();
  calibration.add(0.2, true);
  calibration.add(0, false);
  const filled = calibration.result.bins.flatMap(({ images }, index) => (images > 0 ? [index] : []));
  assert.deepEqual(filled, [0, 2]);
});

test('loss and precisions', () => {
  const evaluation = new Evaluation(['a', 'b', 'c', 'd', 'e', 'f']);
  evaluation.add(image(0, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1));
  evaluation.add(image(5, 0.3, 0.2, 0.2, 0.1, 0.15, 0.05));
  const { images, loss, precisionAt1, precisionAt5, mistakes } = evaluation.result;
  assert.equal(images, 2);
  assert.ok(Math.abs(loss - (-Math.log(0.5) - Math.log(0.05)) / 2) < 1e-6);
  assert.equal(precisionAt1.percent, 50);
  assert.equal(precisionAt5.percent, 50);
  assert.deepEqual(mistakes, [{ actual: 'f', predicted: 'a', images: 1 }]);
});

test('what is next to impossible has a finite loss, and what is no number is wrong', () => {
  const evaluation = new Evaluation(['a', 'b']);
  evaluation.add({ ...image(1, 1, 0), logProbabilities: Float32Array.of(0, -200) });
  assert.equal(evaluation.result.loss, 200);
  evaluation.add(image(0, Number.NaN, Number.NaN));
  assert.equal(evaluation.result.precisionAt1.percent, 0);
  assert.equal(evaluation.result.precisionAt5.percent, 50);
  assert.ok(Number.isNaN(evaluation.result.loss));
});

test('a screen shows the worst of many classes', () => {
  const classes = Array.from({ length: 30 }, (_, index) => `class ${index}`);
  const evaluation = new Evaluation(classes);
  for (let label = 0; label < 30; label++) {
    const probabilities = Float32Array.from(classes, (_, index) =>
      index === (label < 25 ? label : 0) ? 0.9 : 0.1 / 29,
    );
    evaluation.add({ label, probabilities, logProbabilities: probabilities.map(Math.log) });
  }
  const text = formatEvaluation(evaluation.result);
  assert.match(text, /^Images +30$/m);
  assert.match(text, /^The 20 worst of 30 classes/m);
  assert.match(text, /^class 29 +1 +- +0\.0 % +0\.0 %$/m);
  assert.match(text, /^class 25 taken for class 0 +1$/m);
  assert.ok(text.split('\n').length < 40);
});
