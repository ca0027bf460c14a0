import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStopping, heardSignals, neverStopping, type Stopping } from '#src/training/stopping.js';

/** A run with steps and saves of these lengths: when it stops, and when its save would be done. */
function simulate(
  { stepMs, saveMs, limitMs, bytes }: { stepMs: number; saveMs: number; limitMs: number; bytes?: number },
  { saveEvery = Number.POSITIVE_INFINITY, startMs = 1000 } = {},
) {
  let nowMs = startMs;
  const deadline = { atMs: limitMs, source: 'the time limit' };
  const stopping = createStopping({ signal: () => undefined, deadline, nowMs: () => nowMs });
  if (bytes !== undefined) stopping.noteStateBytes(bytes);
  let steps = 0;
  while (stopping.reason() === undefined) {
    nowMs += stepMs;
    stopping.noteStep(stepMs);
    steps += 1;
    if (steps % saveEvery === 0) {
      nowMs += saveMs;
      stopping.noteSave(saveMs);
    }
    assert.ok(nowMs < limitMs * 2, 'it never stops');
  }
  return { steps, savedMs: nowMs + saveMs, reason: stopping.reason() };
}

const minute = 60_000;
for (const [what, run, saveEvery, earliestShare] of [
  ['20 s, with steps of 0.2 s', { stepMs: 200, saveMs: 500, limitMs: 20_000 }, Number.POSITIVE_INFINITY, 0.5],
  [
    '20 s, with steps of 2 s',
    { stepMs: 2000, saveMs: 500, limitMs: 20_000, bytes: 50e6 },
    Number.POSITIVE_INFINITY,
    0.5,
  ],
  ['20 s, with saves', { stepMs: 500, saveMs: 1000, limitMs: 20_000 }, 5, 0.7],
  ['10 minutes, with steps of a minute', { stepMs: minute, saveMs: 5000, limitMs: 10 * minute }, 1, 0.7],
  ['a day, with saves of a minute', { stepMs: 3000, saveMs: minute, limitMs: 1440 * minute }, 300, 0.99],
  ['an hour and a state of 2 GB', { stepMs: 1000, saveMs: 30_000, limitMs: 60 * minute, bytes: 2e9 }, 10_000, 0.97],
] as const) {
  test(`within ${what}, the save is done before the deadline and not long before`, () => {
    const { savedMs, steps, reason } = simulate(run, { saveEvery });
    assert.equal(reason, 'the time limit');
    assert.ok(steps > 0 && savedMs < run.limitMs - 1000, `saved ${run.limitMs - savedMs} ms before`);
    assert.ok(savedMs > run.limitMs * earliestShare, `saved already at ${savedMs} ms`);
  });
}

function at(nowMs: number, note: (stopping: Stopping) => void, limitMs = 100_000): string | undefined {
  const deadline = { atMs: limitMs, source: 'S' };
  const stopping = createStopping({ signal: () => undefined, deadline, nowMs: () => nowMs });
  note(stopping);
  return stopping.reason();
}

for (const [what, note, marginMs] of [
  ['10 s for an unknown save', () => undefined, 12_000],
  ['two steps', (run: Stopping) => [3000, 1000].forEach(run.noteStep), 18_000],
  ['two saves', (run: Stopping) => [1000, 4000, 2000].forEach(run.noteSave), 10_000],
  ['the size of the state', (run: Stopping) => run.noteStateBytes(1e9), 22_000],
  [
    'no more than a third of the limit for a save that was not timed',
    (run: Stopping) => run.noteStateBytes(1e12),
    35_333,
  ],
  [
    'a timed save rather than the estimate',
    (run: Stopping) => [1e12].forEach(run.noteStateBytes) ?? run.noteSave(500),
    3000,
  ],
  [
    'only recent steps',
    (run: Stopping) => [30_000, ...Array.from({ length: 64 }, () => 100)].forEach(run.noteStep),
    12_200,
  ],
] as const) {
  test(`the margin has room for ${what}`, () => {
    assert.equal(at(100_000 - marginMs, note), 'S');
    assert.equal(at(100_000 - marginMs - 1, note), undefined);
  });
}

test('a signal comes before the deadline, and a reason stays', () => {
  let signal: string | undefined = 'SIGTERM';
  let atMs = 0;
  const deadline = () => ({ atMs, source: 'S' });
  const stopping = createStopping({ signal: () => signal, deadline, nowMs: () => 50 });
  assert.equal(stopping.reason(), 'SIGTERM');
  signal = undefined;
  atMs = 1e9;
  assert.equal(stopping.reason(), 'SIGTERM');
});

test('a deadline that moves is followed until it stops the run', () => {
  let atMs: number | undefined = 1e6;
  const deadline = () => (atMs === undefined ? undefined : { atMs, source: 'S' });
  const stopping = createStopping({ signal: () => undefined, deadline, nowMs: () => 900_000 });
  assert.equal(stopping.reason(), undefined);
  atMs = undefined;
  assert.equal(stopping.reason(), undefined);
  atMs = 901_000;
  assert.equal(stopping.reason(), 'S');
});

test('nothing stops a run that has neither signals nor a deadline', () => {
  const stopping = createStopping({ signal: () => undefined });
  stopping.noteStep(1e9);
  assert.equal(stopping.reason(), undefined);
  assert.equal(neverStopping.reason(), undefined);
});

test('what came before is heard, and what handlers left for later in their turn is done', async () => {
  let heard = false;
  setImmediate(() => {
    setImmediate(() => {
      heard = true;
    });
  });
  await heardSignals();
  assert.ok(heard);
});
