import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LearningRateRange, smoothed, suggestRates } from '#src/training/lr-range.js';

/** Runs a test on a made-up loss; `x` is the decimal logarithm of the rate. */
function rangeOf(lossAt: (x: number, step: number) => number, settings = { from: 1e-7, to: 10, steps: 161 }) {
  const range = new LearningRateRange(settings);
  while (!range.isOver) range.note(lossAt(Math.log10(range.learningRate), range.points.length));
  return range;
}

const closeTo = (found: number | undefined, expected: number, decades: number) =>
  assert.ok(found !== undefined && Math.abs(Math.log10(found / expected)) <= decades, `${found} for ${expected}`);

/** Falls from 2, fastest at 1e-3, is lowest at 10 ** -1.9, and grows fast beyond 1. */
const typical = (x: number) =>
  1.5 - 0.5 * Math.tanh(2 * (x + 3)) + 0.3 * Math.max(0, x + 2) ** 2 + 20 * Math.max(0, x) ** 2;

test('the rate rises evenly on a logarithmic scale, from the first to the last', () => {
  const rates = rangeOf(() => 1, { from: 1e-3, to: 10, steps: 5 }).points.map(({ learningRate }) => learningRate);
  for (const [index, expected] of [1e-3, 1e-2, 0.1, 1, 10].entries()) closeTo(rates[index], expected, 1e-9);
  assert.equal(rates.length, 5);
});

test('it ends where the loss grows far beyond its lowest, or is no number', () => {
  const range = rangeOf(typical);
  assert.ok(range.hasDiverged);
  closeTo(range.points.at(-1)?.learningRate, 10 ** 0.6, 0.4);
  const broken = rangeOf((x) => (x < -2 ? 1 : Number.NaN));
  assert.ok(broken.hasDiverged);
  assert.ok(broken.points.every(({ loss }) => loss === 1));
  assert.equal(rangeOf((x) => 2 - x / 10).hasDiverged, false);
});

test('the steepest fall and a tenth of the lowest loss are suggested, noise or not', () => {
  // Deterministic, without a mean, a tenth of the fall.
  const noise = (step: number) => 0.1 * Math.sin(step * step * 1.7);
  for (const amplitude of [0, 1]) {
    const { points } = rangeOf((x, step) => typical(x) + amplitude * noise(step));
    const found = suggestRates(smoothed(points));
    closeTo(found?.steepest, 1e-3, 0.3);
    closeTo(found?.tenthOfLowest, 10 ** -2.9, 0.4);
  }
});

test('the first points, which have noise on one side only, are not suggested', () => {
  const { points } = rangeOf((x, step) => typical(x) + (step < 3 ? 3 / (step + 1) : 0));
  closeTo(suggestRates(smoothed(points))?.steepest, 1e-3, 0.3);
});

test('where the loss does not grow again, its lowest says nothing', () => {
  const found = suggestRates(smoothed(rangeOf((x) => 1.5 - 0.5 * Math.tanh(2 * (x + 3))).points));
  closeTo(found?.steepest, 1e-3, 0.3);
  assert.equal(found?.tenthOfLowest, undefined);
});

test('smoothing leaves a straight line as it is, with its slope', () => {
  for (const { loss, smoothed: mean, slope } of smoothed(rangeOf((x) => 3 - x / 4).points)) {
    assert.ok(Math.abs(loss - mean) < 1e-9 && Math.abs(slope + 0.25) < 1e-9);
  }
});

test('nothing is suggested where the loss does not fall, or of few points', () => {
  assert.equal(suggestRates(smoothed(rangeOf((x) => 2 + Math.max(0, x)).points)), undefined);
  assert.equal(suggestRates(smoothed(rangeOf(typical).points.slice(0, 8))), undefined);
  assert.equal(suggestRates([]), undefined);
});
