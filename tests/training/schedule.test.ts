import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { learningRateAt, type ScheduleConfig } from '#src/training/schedule.js';

const rates = (config: ScheduleConfig) =>
  Array.from({ length: config.epochs }, (_, epoch) => learningRateAt(epoch, config));

function assertClose(found: readonly number[], expected: readonly number[]): void {
  assert.equal(found.length, expected.length);
  for (const [index, rate] of expected.entries()) {
    assert.ok(Math.abs((found[index] ?? Number.NaN) - rate) <= 1e-12, `epoch ${index}: ${found[index]}, not ${rate}`);
  }
}

describe('learningRateAt', () => {
  const cases: [ScheduleConfig, number[]][] = [
    [{ schedule: 'inverse-time', lr: 1, epochs: 4, warmup: 0 }, [1, 0.8, 2 / 3, 4 / 7]],
    [{ schedule: 'cosine', lr: 1, epochs: 4, warmup: 0 }, [1, (1 + Math.SQRT1_2) / 2, 0.5, (1 - Math.SQRT1_2) / 2]],
    [{ schedule: 'step', lr: 1, epochs: 6, warmup: 0 }, [1, 1, 0.1, 0.1, 0.01, 0.01]],
    [{ schedule: 'constant', lr: 0.3, epochs: 3, warmup: 0 }, [0.3, 0.3, 0.3]],
    [{ schedule: 'constant', lr: 1, epochs: 5, warmup: 3 }, [0.25, 0.5, 0.75, 1, 1]],
    [
      { schedule: 'cosine', lr: 1, epochs: 5, warmup: 1 },
      [0.5, 1, (1 + Math.SQRT1_2) / 2, 0.5, (1 - Math.SQRT1_2) / 2],
    ],
    [{ schedule: 'inverse-time', lr: 1, epochs: 3, warmup: 1 }, [0.5, 1, 1 / 1.5]],
  ];
  for (const [config, expected] of cases) {
    it(`${config.schedule}, ${config.epochs} epochs, ${config.warmup} of them warm-up`, () => {
      assertClose(rates(config), expected);
    });
  }

  it('hardly falls at the original learning rate', () => {
    const last = rates({ schedule: 'inverse-time', lr: 1e-3, epochs: 20, warmup: 0 }).at(-1) ?? 0;
    assertClose([last], [1e-3 / (1 + (1e-3 / 20) * 19)]);
  });
});
