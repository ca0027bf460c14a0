import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '#src/errors.js';
import { compareWeights, fitWeights } from '#src/weights/fit-weights.js';
import type { ExpectedTensor, StateDict } from '#src/weights/state-dict.js';

const expected: readonly ExpectedTensor[] = [
  { name: 'conv1.weight', shape: [4, 3, 3, 3] },
  { name: 'bn1.running_mean', shape: [4] },
  { name: 'fc.weight', shape: [5, 4] },
  { name: 'fc.bias', shape: [5] },
];

/** Weights as expected, but for some shapes; `undefined` leaves a tensor out. Each is filled with its position. */
function weights(changed: Readonly<Record<string, readonly number[] | undefined>> = {}): StateDict {
  const shapes = { ...Object.fromEntries(expected.map(({ name, shape }) => [name, shape])), ...changed };
  return new Map(
    Object.entries(shapes).flatMap(([name, shape], position) => {
      if (!shape) return [];
      const length = shape.reduce((product, size) => product * size, 1);
      return [[name, { shape, data: new Float32Array(length).fill(position) }] as const];
    }),
  );
}

const options = { head: 'fc', source: 'some.safetensors' };

test('weights that fit are taken as they are, in the network’s order', () => {
  const found = weights();
  const fitted = fitWeights(expected, new Map([...found].reverse()), options);
  assert.equal(fitted.replacedHead, false);
  assert.deepEqual(
    [...fitted.weights.keys()],
    expected.map(({ name }) => name),
  );
  for (const [name, tensor] of fitted.weights) assert.equal(tensor, found.get(name));
});

test('a head of another size is left out, weight and bias', () => {
  const { weights: fitted, replacedHead } = fitWeights(
    expected,
    weights({ 'fc.weight': [1000, 4], 'fc.bias': [1000] }),
    options,
  );
  assert.equal(replacedHead, true);
  assert.deepEqual([...fitted.keys()], ['conv1.weight', 'bn1.running_mean']);
});

test('only the head by its name may differ', () => {
  const found = weights({ 'fc.weight': [1000, 4], 'fc.bias': [1000] });
  assert.throws(() => fitWeights(expected, found, { ...options, head: 'f' }), UserError);
  assert.throws(() => fitWeights(expected, found, { ...options, head: 'classifier' }), /2 misshapen/);
});

test('counts of batches are ignored', () => {
  const found = weights({ 'bn1.num_batches_tracked': [] });
  assert.deepEqual(
    [...fitWeights(expected, found, options).weights.keys()],
    expected.map(({ name }) => name),
  );
  assert.deepEqual(compareWeights(expected, found), { missing: [], unexpected: [], misshapen: [] });
});

const mistakes: readonly (readonly [title: string, found: StateDict, message: string])[] = [
  ['missing', weights({ 'bn1.running_mean': undefined }), '1 missing (bn1.running_mean)'],
  ['unexpected', weights({ 'bn2.bias': [4] }), '1 unexpected (bn2.bias)'],
  [
    'misshapen',
    weights({ 'conv1.weight': [4, 3, 7, 7] }),
    '1 misshapen (conv1.weight [4, 3, 7, 7] instead of [4, 3, 3, 3])',
  ],
  ['of another rank', weights({ 'bn1.running_mean': [4, 1] }), '1 misshapen (bn1.running_mean [4, 1] instead of [4])'],
  ['without a head', weights({ 'fc.weight': undefined, 'fc.bias': undefined }), '2 missing (fc.weight, fc.bias)'],
  [
    'wrong in several ways',
    weights({ 'conv1.weight': undefined, 'conv2.weight': [1], 'bn1.running_mean': [5] }),
    '1 missing (conv1.weight), 1 unexpected (conv2.weight), 1 misshapen (bn1.running_mean [5] instead of [4])',
  ],
];
for (const [title, found, message] of mistakes) {
  test(`weights that are ${title} are refused and listed`, () => {
    assert.throws(() => fitWeights(expected, found, options), {
      name: 'UserError',
      message: `The weights in some.safetensors are not this model's: found ${message}. Choose the --model that they were made with.`,
    });
  });
}

test('a head of another size does not hide what else is wrong', () => {
  const found = weights({ 'fc.weight': [1000, 4], 'fc.bias': [1000], 'conv1.weight': [4, 3, 7, 7] });
  assert.throws(() => fitWeights(expected, found, options), /found 1 misshapen \(conv1\.weight/);
});

test('long lists are cut after five names', () => {
  const many = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`extra${i}`, [1]]));
  assert.throws(
    () => fitWeights(expected, weights(many), options),
    /7 unexpected \(extra0, extra1, extra2, extra3, extra4 and 2 more\)/,
  );
});

test('auxiliary heads are passed over, but not where the network has them', () => {
  const found = weights({ 'aux1.fc1.weight': [1], 'aux2.conv.bn.bias': [2], 'AuxLogits.fc.weight': [3] });
  assert.deepEqual(
    [...fitWeights(expected, found, options).weights.keys()],
    expected.map(({ name }) => name),
  );
  const withAuxiliary = [...expected, { name: 'aux1.fc1.weight', shape: [1] }];
  assert.ok(fitWeights(withAuxiliary, found, options).weights.has('aux1.fc1.weight'));
  assert.throws(() => fitWeights(expected, weights({ auxiliary: [1] }), options), /1 unexpected \(auxiliary\)/);
});

test('a name out of a file is shortened and freed of control characters', () => {
  const name = `\u001b[2J${'x'.repeat(1000)}`;
  assert.throws(
    () => fitWeights(expected, weights({ [name]: [1] }), options),
    (error: Error) => {
      assert.match(error.message, /1 unexpected \(\ufffd\[2Jx+\.\.\.\)/);
      assert.ok(error.message.length < 400);
      return true;
    },
  );
});
