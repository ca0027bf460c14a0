import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EpochResult } from '#src/reporting/events.js';
import { bestEpoch, isOutOfPatience } from '#src/training/best.js';

const history = (...losses: (number | undefined)[]): EpochResult[] =>
  losses.map((loss, index) => {
    const train = { loss: 1, precisionAt1: 0, precisionAt5: 0, images: 1 };
    const validation = loss === undefined ? undefined : { ...train, loss };
    return { epoch: index + 1, train, validation, learningRate: 1, seconds: 1, imagesPerSecond: 1 };
  });

describe('the best epoch', () => {
  const cases: [name: string, losses: (number | undefined)[], epoch: number | undefined][] = [
    ['has the lowest validation loss', [3, 1, 2], 2],
    ['is the first of equal ones', [3, 1, 1], 2],
    ['is never one whose loss is no number', [Number.NaN, 2, Number.NaN], 2],
    ['is none without validation', [undefined, undefined], undefined],
    ['is none where all losses are infinite', [Number.POSITIVE_INFINITY], undefined],
    ['is none before the first', [], undefined],
  ];
  for (const [name, losses, epoch] of cases) {
    it(name, () => assert.equal(bestEpoch(history(...losses))?.epoch, epoch));
  }
});

describe('patience', () => {
  const cases: [losses: number[], patience: number, isOver: boolean][] = [
    [[3, 2, 1], 1, false],
    [[3, 2, 2], 1, true],
    [[3, 2, 2], 2, false],
    [[3, 2, 4, 2.5], 2, true],
    [[1, 2, 3, 4], 0, false],
    [[], 1, false],
    [[Number.NaN, Number.NaN], 2, true],
  ];
  for (const [losses, patience, isOver] of cases) {
    it(`of ${patience} is ${isOver ? 'over' : 'left'} after the losses ${losses.join(', ') || 'of no epoch'}`, () => {
      assert.equal(isOutOfPatience(history(...losses), patience), isOver);
    });
  }
});
