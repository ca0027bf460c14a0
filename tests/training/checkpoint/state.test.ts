import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromJson, toJson } from '#src/training/checkpoint/json.js';
import { decodeState, encodeState, type RunState } from '#src/training/checkpoint/state.js';

const metrics = { loss: 0.1 + 0.2, precisionAt1: 100 / 3, precisionAt5: 100, images: 3 };
const state: RunState = {
  counters: { step: 7, frozenSteps: undefined, runSeed: 42, skipped: 1 },
  epoch: 1,
  batch: 3,
  sums: { images: 12, loss: 1e-320, correctAt1: 4, correctAt5: 12 },
  epochSeconds: 1.5,
  seconds: 3.25,
  history: [
    {
      epoch: 1,
      train: metrics,
      validation: { ...metrics, loss: Number.NaN },
      learningRate: 1e-3,
      seconds: 1,
      imagesPerSecond: Number.POSITIVE_INFINITY,
    },
  ],
  badImages: [{ path: '/data/ü\n.jpg', reason: 'an empty file' }],
  isComplete: false,
};

describe("a run's state as text", () => {
  it('comes back as it was', () => {
    const { frozenSteps: _, ...counters } = state.counters;
    assert.deepEqual(decodeState(encodeState(state)), { ...state, counters });
  });

  it('keeps numbers that JSON does not know', () => {
    for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 5e-324]) {
      assert.ok(Object.is(fromJson(toJson(number)), number), String(number));
    }
  });

  it('is refused where it contradicts itself', () => {
    for (const change of [{ epoch: 2 }, { batch: -1 }, { history: [] }, { counters: { step: 0.5 } }]) {
      assert.throws(() => decodeState(toJson({ ...state, ...change })), /contradicts itself/);
    }
  });
});
