// Does the comparison see anything? Checkpoints that are rewritten, with a seal that fits: one as it was must end equal, one
// in which something is forgotten must not.

import { isDeepStrictEqual } from 'node:util';
import { fromJson, toJson } from '#src/training/checkpoint/json.js';
import { encodeState, type RunState } from '#src/training/checkpoint/state.js';
import { openSealed, readSealedTensors, slotPrefix, writeSealed } from '#src/weights/sealed-file.js';
import type { StateDict } from '#src/weights/state-dict.js';
import { lastCheckpoint, placeOptions, recipes, resultOf } from '../place.js';
import { run } from '../program.js';
import { type Case, goneOn, requireCode, type Suite } from '../suite.js';

const recipe = recipes.deterministic;

interface Change {
  state?: (state: RunState) => RunState;
  options?: (options: Record<string, unknown>) => Record<string, unknown>;
  tensors?: (tensors: StateDict) => StateDict;
}

const zeroed = (tensors: StateDict, isMeant: (name: string) => boolean): StateDict =>
  new Map(
    Array.from(tensors, ([name, tensor]) => [
      name,
      isMeant(name) ? { ...tensor, data: new Float32Array(tensor.data.length) } : tensor,
    ]),
  );

const controls: readonly [what: string, isEqual: boolean, change: Change][] = [
  ['nothing', true, {}],
  ["both of the optimizer's slots", false, { tensors: (all) => zeroed(all, (name) => name.startsWith(slotPrefix)) }],
  [
    "one of the optimizer's slots",
    false,
    { tensors: (all) => zeroed(all, (name) => name.startsWith(slotPrefix) && name.endsWith('exp_avg_sq')) },
  ],
  ['the position in the epoch', false, { state: (state) => ({ ...state, batch: 0 }) }],
  ['one batch of the position', false, { state: (state) => ({ ...state, batch: state.batch - 1 }) }],
  ['the epoch', false, { state: (state) => ({ ...state, epoch: 0, history: [] }) }],
  [
    'one step of the count',
    false,
    { state: (state) => ({ ...state, counters: { ...state.counters, step: state.counters.step - 1 } }) },
  ],
  [
    'the losses of the epoch so far',
    false,
    { state: (state) => ({ ...state, sums: { ...state.sums, ...zeroSums(state.sums) } }) },
  ],
  ['the seed', false, { options: (options) => ({ ...options, seed: 8 }) }],
];

/** A sum of zero for each that there is. */
function zeroSums(sums: object): Record<string, number> {
  return Object.fromEntries(Object.keys(sums).map((name) => [name, 0]));
}

export async function controlCases(suite: Suite, count: number): Promise<void> {
  await suite.reference(recipe);
  const cases = controls.slice(0, count + 1).map(([what, isEqual, change]): Case => {
    return {
      name: `a checkpoint that forgets ${what}`,
      run: async (place) => {
        await suite.stopInSecondEpoch(place, recipe);
        await rewrite(lastCheckpoint(place), change);
        // Options come from the checkpoint.
        const ending = await run(['train', ...placeOptions(place), '--resume']);
        requireCode(ending, 0);
        const { result } = await suite.reference(recipe);
        const found = await resultOf(place, recipe);
        if (isDeepStrictEqual(found, result) !== isEqual) throw new Error(isEqual ? 'it differs' : 'nobody notices');
        return `${goneOn(ending)}, ${isEqual ? 'equal' : `seen in ${differing(found, result)}`}`;
      },
    };
  });
  await suite.runAll('controls', cases);
}

async function rewrite(path: string, { state, options, tensors }: Change): Promise<void> {
  const { metadata } = await openSealed(path);
  const stored = await readSealedTensors(path);
  const changed = tensors?.(stored) ?? stored;
  const names = Array.from(changed, ([name, { shape }]) => ({ name, shape }));
  await writeSealed(path, {
    parts: [{ tensors: names, read: () => changed }],
    metadata: {
      ...metadata,
      ...(state && { state: encodeState(state(fromJson(metadata['state'] ?? '') as RunState)) }),
      ...(options && { options: toJson(options(fromJson(metadata['options'] ?? '') as Record<string, unknown>)) }),
    },
  });
}

/** Names of the parts that are not alike. */
function differing(found: unknown, expected: unknown): string {
  const parts = (value: unknown) => Object.entries(value as Record<string, unknown>);
  const wanted = new Map(parts(expected));
  return parts(found)
    .flatMap(([name, value]) => (isDeepStrictEqual(value, wanted.get(name)) ? [] : [name]))
    .join(', ');
}
