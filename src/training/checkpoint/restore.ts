import { readSealedTensors, slotPrefix } from '../../weights/sealed-file.js';
import type { StoredTensor } from '../../weights/state-dict.js';
import type { Steps } from '../steps.js';
import type { Checkpoint } from './contents.js';

/** Sets weights, optimizer and counters to what a checkpoint holds. */
export async function restoreSteps(steps: Steps, { path, state }: Checkpoint): Promise<void> {
  const weights = new Map<string, StoredTensor>();
  const slots = new Map<string, StoredTensor>();
  for (const [name, tensor] of await readSealedTensors(path)) {
    if (name.startsWith(slotPrefix)) slots.set(name.slice(slotPrefix.length), tensor);
    else weights.set(name, tensor);
  }
  steps.restore({ weights, slots, counters: state.counters });
}
