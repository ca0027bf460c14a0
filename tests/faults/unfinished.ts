// A run that was killed at a known place, as the beginning of other cases.

import { command, type Place, type Recipe, requireWhole } from './place.js';
import { run } from './program.js';

/** The number of the step that the last checkpoint is of; the one before it is of the step before. */
export const stoppedAtStep = 6;

/** Kills a run just after its sixth step was saved, in the middle of the second epoch. */
export async function stopInSecondEpoch(place: Place, recipe: Recipe): Promise<void> {
  // The end of the first epoch is a save of its own, without a step.
  const saves = stoppedAtStep + 1;
  const ending = await run(command(place, recipe), { withPreload: true, env: { KILL_AT: `last:${saves}:after` } });
  if (ending.signal !== 'SIGKILL') throw new Error(`it was not killed:\n${ending.output}`);
  const found = await requireWhole(place);
  if (found < 2) throw new Error(`${found} checkpoints in place of two`);
}
