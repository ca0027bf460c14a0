import { readSealedTensors, slotPrefix } from '../../weights/sealed-file.js';
import type { Steps } from '../steps.js';
import type { Checkpoint } from './contents.js';

/** Sets weights, optimizer and counters to what a checkpoint holds. */
export async function restoreSteps(steps: Steps, { path, state }: Checkpoint): Promise<void> {
  const weights = await readSealedTensors(path, (name) => !name.startsWith(slotPrefix));
  const stored = await readSealedTensors(path, (name) => name.startsWith(slotPrefix));
  const slots = new Map([...stored].map(([name, tensor]) => [name.slice(slotPrefix.length), tensor]));
  steps.restore({ weights, slots, counters: state.counters });
}
