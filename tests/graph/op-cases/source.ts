import assert from 'node:assert/strict';
import { floatConstant, identity, intConstant, randomNormal, randomUniform } from '#src/graph/ops/source.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, ints, noisy } from '../samples.js';

const seeds = [ints([2], [7, 0]), ints([2], [7, 0]), ints([2], [8, 0])] as const;

/** The mean, and the mean square's root, of numbers. */
function moments(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const squares = values.reduce((total, value) => total + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

function assertSeeded([one = [], same = [], other = []]: readonly (readonly number[])[]): readonly number[] {
  assert.deepEqual(one, same, 'the same seed gives the same numbers');
  assert.notDeepEqual(one, other, 'another seed gives others');
  return one;
}

export const forward = [
  forwardCase({
    op: 'Const',
    name: 'scalars, lists and matrices',
    inputs: [],
    build: (_, graph) => [
      floatConstant(graph, -2.5),
      floatConstant(graph, [1, 2.5]),
      intConstant(graph, 7),
      intConstant(graph, [1, 2, 3, 4, 5, -6], [3, 2]),
      floatConstant(graph, Number.NEGATIVE_INFINITY),
    ],
    expected: (outputs) => assert.deepEqual(outputs, [[-2.5], [1, 2.5], [7], [1, 2, 3, 4, 5, -6], [-Infinity]]),
  }),
  forwardCase({
    op: 'Placeholder',
    inputs: [floats([2], [1.5, -2]), ints([1], [3], { dynamic: true })],
    // what is fed can't be fetched
    build: ([x, n]) => [identity(x), identity(n)],
    expected: [[1.5, -2], [3]],
  }),
  forwardCase({ op: 'Identity', inputs: [floats([2], [1.5, -2])], build: ([x]) => identity(x), expected: [1.5, -2] }),
  forwardCase({
    op: 'StatelessRandomNormal',
    inputs: seeds,
    build: (inputs) => inputs.map((seed) => randomNormal(seed, [100, 100])),
    expected: (outputs) => {
      const numbers = assertSeeded(outputs);
      const { mean, deviation } = moments(numbers);
      // Five standard errors of 10,000 numbers.
      assert.ok(Math.abs(mean) < 0.05, `mean ${mean}`);
      assert.ok(Math.abs(deviation - 1) < 0.036, `standard deviation ${deviation}`);
      const beyondTwo = numbers.filter((value) => Math.abs(value) > 2).length;
      assert.ok(beyondTwo > 350 && beyondTwo < 560, `${beyondTwo} of 10,000 beyond two standard deviations, not 455`);
    },
  }),
  forwardCase({
    op: 'StatelessRandomUniform',
    inputs: seeds,
    build: (inputs) => inputs.map((seed) => randomUniform(seed, [10_000])),
    expected: (outputs) => {
      const numbers = assertSeeded(outputs);
      const { mean, deviation } = moments(numbers);
      assert.ok(Math.min(...numbers) >= 0 && Math.min(...numbers) < 0.01);
      assert.ok(Math.max(...numbers) < 1 && Math.max(...numbers) > 0.99);
      assert.ok(Math.abs(mean - 0.5) < 0.015, `mean ${mean}`);
      assert.ok(Math.abs(deviation - Math.sqrt(1 / 12)) < 0.01, `standard deviation ${deviation}`);
    },
  }),
];

export const backward = [
  gradientCase({
    op: 'Identity',
    inputs: [noisy(1, [3, 2], { dynamic: true })],
    build: ([x]) => identity(x),
    step: 0.1,
    tolerance: 1e-5,
  }),
];
