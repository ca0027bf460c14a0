// Moments of a run, told as shares of it: a busy machine takes three times as long as an idle one, so that most of them are
// counted in saves and not in seconds.

import { statSync } from 'node:fs';
import { lastCheckpoint, type Place } from './place.js';
import type { Running } from './program.js';

/** An uninterrupted run. */
export interface Reference {
  /** What it left. */
  result: unknown;
  elapsedMs: number;
  /** Of these, what came before the first step. */
  setUpMs: number;
}

/** One for each step and one for each epoch, of the two of a usual run. */
const allSaves = 10;
/** The share of moments that are before the first step. */
const setUpShare = 0.2;
const pollMs = 4;

/** Waits for a moment from 0, the start of the process, to 1, about its end. Returns whether the run still lives then. */
export async function waitForMoment(
  running: Running,
  place: Place,
  moment: number,
  { elapsedMs, setUpMs }: Reference,
): Promise<boolean> {
  if (moment < setUpShare) return running.lives((moment / setUpShare) * setUpMs);
  const saves = ((moment - setUpShare) / (1 - setUpShare)) * allSaves;
  if (!(await running.printed('Model loaded'))) return false;
  let seen = saveMark(place);
  for (let count = Math.floor(saves); count > 0; ) {
    if (!(await running.lives(pollMs))) return false;
    const mark = saveMark(place);
    if (mark !== seen) count -= 1;
    seen = mark;
  }
  return running.lives(((saves % 1) * (elapsedMs - setUpMs)) / allSaves);
}

/** Another one after each save. */
function saveMark(place: Place): string {
  const found = statSync(lastCheckpoint(place), { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.ino} ${found.mtimeMs}`;
}
