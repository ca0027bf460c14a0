// What a run's state between two steps is made of, so that it can be kept and gone on from.

import { elementCount } from '../graph/types.js';
import type { StateDict } from '../weights/state-dict.js';
import type { OptimizerSlot, SlotKind } from './optimizer.js';
import { phaseOf, type SlotPhase, type SlotStep, slotName } from './state-signatures.js';

/** How far a run is: what `Steps` keeps beside the graph's variables. */
export interface StepCounters {
  /** Steps that changed the weights. */
  step: number;
  /** Those among them that came before `unfreeze`; undefined while the frozen part is frozen. */
  frozenSteps: number | undefined;
  /** What dropout draws from, int32. */
  runSeed: number;
  /** Steps that the guard left out. */
  skipped: number;
  /** Parts in which each batch is computed, where there was no memory for it as a whole. */
  parts?: number;
  /** Float16's; absent in other arithmetic. */
  lossScale?: LossScale;
}

/** The loss's factor, and how it came to be: torch.amp.GradScaler's rule. */
export interface LossScale {
  factor: number;
  /** Good steps since it last changed. */
  good: number;
}

/** As torch.amp.GradScaler's defaults. */
export const firstLossScale: LossScale = { factor: 65_536, good: 0 };
const growthInterval = 2000;

/**
 * What becomes of it after a step: half where that was not applied, for whatever was not finite in it; twice after many
 * good steps.
 */
export function nextLossScale({ factor, good }: LossScale, wasApplied: boolean): LossScale {
  if (!wasApplied) return { factor: factor / 2, good: 0 };
  return good + 1 === growthInterval ? { factor: factor * 2, good: 0 } : { factor, good: good + 1 };
}

export interface StepState {
  weights: StateDict;
  /** `<parameter>/<kind>`, in torchvision's shapes. */
  slots: StateDict;
  counters: StepCounters;
}

/** A tensor's name outside the graph, and torchvision's shape. */
export interface TensorSpec {
  name: string;
  shape: readonly number[];
}

export const freshCounters = (runSeed: number): StepCounters => {
  return { step: 0, frozenSteps: undefined, runSeed, skipped: 0 };
};

/** The phases whose slots are in use. */
function phasesAt({ frozenSteps }: StepCounters): readonly SlotPhase[] {
  return frozenSteps === undefined ? ['early'] : ['early', 'late'];
}

/** The slots that are in use, of one kind or of all. */
export function slotSpecsAt(slots: readonly OptimizerSlot[], counters: StepCounters, kind?: SlotKind): TensorSpec[] {
  const phases = phasesAt(counters);
  return slots
    .filter((slot) => phases.includes(phaseOf(slot)) && (kind === undefined || slot.kind === kind))
    .flatMap((slot) =>
      slot.storage.parameters.map((parameter) => ({
        name: slotName(parameter, slot.kind),
        shape: parameter.spec.shape,
      })),
    );
}

/** The steps that read and set the slots in use, of one kind or of all, and the names of these. */
export function slotStepsAt(
  slots: readonly OptimizerSlot[],
  counters: StepCounters,
  kind?: SlotKind,
): { read: SlotStep; load: SlotStep; names: readonly string[] }[] {
  const kinds = kind === undefined ? new Set(slots.map((slot) => slot.kind)) : [kind];
  return [...kinds].flatMap((each) =>
    phasesAt(counters).flatMap((phase) => {
      const kept = slots.filter((slot) => slot.kind === each && phaseOf(slot) === phase);
      const names = kept.flatMap(({ storage }) => storage.parameters.map((parameter) => slotName(parameter, each)));
      return names.length === 0 ? [] : [{ read: `read_${phase}_${each}`, load: `load_${phase}_${each}`, names }];
    }),
  );
}

/** Throws `internal:` unless `found` has exactly the tensors of `specs`. */
export function requireTensors(what: string, specs: readonly TensorSpec[], found: StateDict): void {
  const names = new Set(specs.map(({ name }) => name));
  for (const { name, shape } of specs) {
    const tensor = found.get(name);
    if (!tensor) throw new Error(`internal: ${what} lack ${name}`);
    if (tensor.shape.join() !== shape.join() || tensor.data.length !== elementCount(shape)) {
      throw new Error(`internal: ${what} have ${name} as [${tensor.shape.join(', ')}], not [${shape.join(', ')}]`);
    }
  }
  for (const name of found.keys()) if (!names.has(name)) throw new Error(`internal: ${what} have ${name}, too`);
}

/** Throws `internal:` where no run can be as far as `counters` say. */
export function requireCounters({ step, frozenSteps = 0, runSeed, skipped, lossScale }: StepCounters): void {
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (!isCount(step) || !isCount(skipped) || !isCount(frozenSteps) || frozenSteps > step || runSeed !== (runSeed | 0)) {
    throw new Error(`internal: no run has the counters ${JSON.stringify({ step, frozenSteps, runSeed, skipped })}`);
  }
  if (lossScale && !(lossScale.factor > 0 && isCount(lossScale.good))) {
    throw new Error(`internal: no run has the loss scale ${JSON.stringify(lossScale)}`);
  }
}
