import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Batch, Loader } from '#src/data/loader.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { evaluateAll, trainEpoch } from '#src/training/epoch.js';
import type { StepResult, Steps } from '#src/training/steps.js';

const batch = (position: number, size: number): Batch => ({
  pixels: new Uint8Array(4),
  labels: new Int32Array(size),
  size,
  indices: new Uint32Array(size),
  bad: [],
  position,
  waitMs: 0,
});

function loaderOf(...batches: (Batch | 'hang')[]): Loader {
  return {
    batches: batches.length,
    images: 0,
    async *[Symbol.asyncIterator]() {
      for (const one of batches) {
        if (one === 'hang') await new Promise(() => setTimeout(() => undefined, 60_000).unref());
        else yield one;
      }
    },
  };
}

/** Steps whose loss is the number of images, and which count their calls. */
function countingSteps() {
  const calls: number[] = [];
  const step = ({ labels }: { labels: Int32Array }): StepResult => {
    calls.push(labels.length);
    return { images: labels.length, loss: labels.length, correctAt1: 1, correctAt5: 1, applied: true };
  };
  return { calls, steps: { train: step, evaluate: step } as unknown as Steps };
}

describe('a pass', () => {
  it('runs no step for a batch of which no image could be read', async () => {
    const { calls, steps } = countingSteps();
    const events: TrainingEvent[] = [];
    const loader = loaderOf(batch(0, 2), batch(1, 0), batch(2, 4));
    const metrics = await evaluateAll(steps, loader, { report: (event) => events.push(event) });
    assert.deepEqual(calls, [2, 4]);
    assert.equal(metrics.images, 6);
    assert.equal(metrics.loss, (2 * 2 + 4 * 4) / 6);
    assert.deepEqual(
      events.map((event) => event.kind === 'evaluation-step' && event.batch),
      [1, 2, 3],
    );
  });

  it('leaves out of the means what does not count', async () => {
    const { steps } = countingSteps();
    const plan = { epoch: 0, learningRate: 1, report: () => undefined, accepts: ({ loss }: StepResult) => loss < 3 };
    assert.equal((await trainEpoch(steps, loaderOf(batch(0, 2), batch(1, 4)), plan)).images, 2);
  });

  it('ends where it is asked to after a step', async () => {
    const { calls, steps } = countingSteps();
    const afterStep = ({ batches }: { batches: number }) => {
      if (batches === 2) throw new Error('enough');
    };
    const loader = loaderOf(batch(0, 1), batch(1, 1), batch(2, 1));
    await assert.rejects(evaluateAll(steps, loader, { report: () => undefined, afterStep }), /enough/);
    assert.deepEqual(calls, [1, 1]);
  });

  it('ends where it is asked to while a batch does not come', async () => {
    const { calls, steps } = countingSteps();
    const whileWaiting = () => {
      throw new Error('SIGTERM');
    };
    const loader = loaderOf(batch(0, 1), 'hang', batch(2, 1));
    await assert.rejects(evaluateAll(steps, loader, { report: () => undefined, whileWaiting }), /SIGTERM/);
    assert.deepEqual(calls, [1]);
  });
});
