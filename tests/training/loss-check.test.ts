import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '#src/errors.js';
import { LossCheck } from '#src/training/loss-check.js';

const result = (loss: number, applied = true) => ({ images: 2, loss, correctAt1: 0, correctAt5: 0, applied });
const place = (step: number) => ({ step, epoch: 2, files: () => ['/d/a.jpg', '/d/b.jpg'] });

function checking(policy: 'error' | 'skip') {
  const warnings: string[] = [];
  const check = new LossCheck(policy, (event) => event.kind === 'warning' && warnings.push(event.message));
  return { check, warnings };
}

describe('a loss that is no finite number', () => {
  for (const loss of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    it(`stops the run and names step and images (${loss})`, () => {
      const { check } = checking('error');
      assert.equal(check.accepts(result(1), place(1)), true);
      assert.throws(
        () => check.accepts(result(loss), place(9)),
        (error: Error) => {
          assert.ok(error instanceof UserError);
          assert.match(
            error.message,
            /step 9 \(epoch 2\).*found a loss of .*, on \/d\/a\.jpg, \/d\/b\.jpg\. .*--nan=skip/,
          );
          return true;
        },
      );
      assert.equal(check.hasFailed, true);
    });
  }

  it('is left out and told where that is wanted', () => {
    const { check, warnings } = checking('skip');
    assert.equal(check.accepts(result(Number.NaN, false), place(4)), false);
    assert.equal(check.accepts(result(1), place(5)), true);
    assert.equal(check.accepts(result(1, false), place(6)), false);
    assert.deepEqual(warnings, [
      'Left out step 4 (epoch 2): a loss of NaN, on /d/a.jpg, /d/b.jpg',
      'Left out step 6 (epoch 2): gradients that are no finite numbers, on /d/a.jpg, /d/b.jpg',
    ]);
    assert.equal(check.hasFailed, false);
  });

  it('is told ten times at most, and gives up after a hundred in a row', () => {
    const { check, warnings } = checking('skip');
    const leaveOut = (times: number) => {
      for (let step = 0; step < times; step++)
        assert.equal(check.accepts(result(Number.NaN, false), place(step)), false);
    };
    leaveOut(100);
    assert.equal(check.accepts(result(1), place(100)), true);
    leaveOut(100);
    assert.equal(warnings.length, 10);
    assert.throws(() => leaveOut(1), /100 steps in a row were left out/);
    assert.equal(check.hasFailed, true);
  });
});
