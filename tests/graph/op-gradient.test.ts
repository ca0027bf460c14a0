// Every gradient rule of the registry agrees with finite differences, whatever the incoming gradient.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Tensor } from '#src/graph/graph.js';
import { add, mean, mul, sub } from '#src/graph/ops/math.js';
import { ops } from '#src/graph/ops/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileGradientCases, withoutLastRow } from './finite-differences.js';
import { type GradientCase, gradientCase, runnable, titleOf, withoutCase } from './op-case.js';
import { gradientCases } from './op-cases/all.js';
import { noisy, separated } from './samples.js';

const withRule = [...ops].filter(([, kind]) => kind === 'rule').map(([op]) => op);

test('every op with a rule has a case', () => {
  assert.deepEqual(withoutCase(withRule, gradientCases), []);
});

test('a rule without a case is noticed', () => {
  const others = gradientCases.filter(({ op }) => op !== 'MatMul');
  assert.deepEqual(withoutCase(withRule, others), ['MatMul']);
});

test('no two cases have the same title', () => {
  assert.equal(new Set(gradientCases.map(titleOf)).size, gradientCases.length);
});

const runtime = await openRuntime('cpu');
const cases = runnable(runtime, gradientCases);
const check = await compileGradientCases(runtime, cases);
after(() => check.dispose());

for (const spec of cases) {
  test(titleOf(spec), () => {
    assertWithin(spec, check.errors(spec));
    if (spec.inputs.some(({ dynamic }) => dynamic)) assertWithin(spec, check.errors(spec, withoutLastRow(spec.inputs)));
  });
}

function assertWithin({ tolerance }: GradientCase, errors: readonly { input: number; error: number }[]): void {
  assert.ok(errors.length > 0, 'nothing was differentiated');
  for (const { input, error } of errors) {
    assert.ok(error <= tolerance, `input ${input}'s gradient is off by ${error} (at most ${tolerance})`);
  }
}

/** TensorFlow's op on one input, with a rule of the test's own. */
function withRuleOf(op: 'Relu' | 'Square' | 'Identity', x: Tensor, rule: (dy: Tensor, x: Tensor) => Tensor): Tensor {
  const attributes = { T: { dtype: x.dtype } };
  const backward = () => (upstream: readonly (Tensor | undefined)[]) => upstream.map((dy) => dy && rule(dy, x));
  const [y] = x.graph.add({ op, inputs: [x], attributes, outputs: [x], backward }).outputs;
  assert.ok(y);
  return y;
}

const wrong = [
  gradientCase({
    op: 'Relu',
    name: 'lets everything through',
    inputs: [separated(1, [8])],
    build: ([x]) => withRuleOf('Relu', x, (dy) => dy),
  }),
  gradientCase({
    op: 'Square',
    name: 'forgets the factor 2',
    inputs: [noisy(2, [8])],
    build: ([x]) => withRuleOf('Square', x, (dy, input) => mul(dy, input)),
  }),
  gradientCase({
    op: 'Identity',
    name: 'is right only when the incoming gradient is the same everywhere',
    inputs: [noisy(3, [8])],
    build: ([x]) => withRuleOf('Identity', x, (dy) => add(sub(dy, dy), mean(dy))),
  }),
];

test('wrong rules are noticed', async () => {
  const right = gradientCase({
    op: 'Square',
    inputs: [noisy(2, [8])],
    build: ([x]) => withRuleOf('Square', x, (dy, input) => mul(dy, add(input, input))),
  });
  const wrongCheck = await compileGradientCases(runtime, [right, ...wrong]);
  try {
    assertWithin(right, wrongCheck.errors(right));
    for (const spec of wrong) assert.throws(() => assertWithin(spec, wrongCheck.errors(spec)), /is off by/, spec.name);
  } finally {
    wrongCheck.dispose();
  }
});
