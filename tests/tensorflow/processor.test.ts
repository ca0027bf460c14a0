import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOneDnnOff, processorFlags, slowTypes, turnOnOneDnn } from '#src/tensorflow/processor.js';

const variable = 'TF_ENABLE_ONEDNN_OPTS';

/** Runs `check` with TensorFlow's switch at `value`. */
function withSwitch(value: string | undefined, check: () => void): void {
  const before = process.env[variable];
  const set = (to: string | undefined) => {
    if (to === undefined) delete process.env[variable];
    else process.env[variable] = to;
  };
  set(value);
  try {
    check();
  } finally {
    set(before);
  }
}

test('oneDNN is turned on, whatever TensorFlow thinks of the processor', () => {
  withSwitch(undefined, () => {
    turnOnOneDnn();
    assert.equal(process.env[variable], '1');
    assert.equal(isOneDnnOff(), false);
  });
});

for (const [value, isOff] of [
  ['0', true],
  ['False', true],
  ['1', false],
  ['true', false],
] as const) {
  test(`the user's word on oneDNN stays: ${value}`, () => {
    withSwitch(value, () => {
      turnOnOneDnn();
      assert.equal(process.env[variable], value);
      assert.equal(isOneDnnOff(), isOff);
    });
  });
}

test('the features of the first processor are read, of either family', () => {
  assert.deepEqual([...processorFlags('processor\t: 0\nflags\t\t: fpu avx2\n\nflags\t\t: sse\n')], ['fpu', 'avx2']);
  assert.deepEqual([...processorFlags('Features\t: fp asimd bf16\n')], ['fp', 'asimd', 'bf16']);
  assert.equal(processorFlags('').size, 0);
});

test('a processor without AVX-512 is slow in bfloat16, and each is in float16', () => {
  withSwitch('1', () => {
    const slow = (...flags: readonly string[]) => [...slowTypes(new Set(flags))].toSorted();
    assert.deepEqual(slow('avx2', 'fma'), ['bfloat16', 'float16']);
    assert.deepEqual(slow('asimd', 'bf16'), ['bfloat16', 'float16']);
    assert.deepEqual(slow('avx2', 'avx512f'), ['float16']);
    assert.deepEqual(slow('avx2', 'avx_ne_convert'), ['float16']);
  });
  // TensorFlow's own kernels are left then.
  withSwitch('0', () => assert.equal(slowTypes(new Set(['avx512f', 'avx512_bf16'])).size, 2));
});
