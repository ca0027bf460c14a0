// Before a network's graph is built: which of its parameters stay as they are, which group trains each of the others, and
// which share a storage.

import { elementCount } from '../graph/types.js';
import { type Frozen, freezingOf } from '../models/freezing.js';
import type { Model } from '../models/model.js';
import type { ParameterPlan, ParameterSpec } from '../models/parameters.js';
import { structureOf } from '../models/structure.js';
import type { Group } from './optimizer.js';

export interface PlanOptions {
  model: Model;
  classes: number;
  /** Side of the images in pixels. */
  crop: number;
  freeze: string;
  /** Whether small parameters share storages. */
  shared: boolean;
}

/** On a GPU starting an op takes as long as copying so many float32 values, or longer. */
const smallSize = 65_536;

/** TensorFlow cuts up and joins more than 16 tensors at once on a GPU, and fewer one by one. */
const fewestTogether = 17;

/** Throws a `UserError` where `freeze` does not fit the model. */
export function planParameters({ model, classes, crop, freeze, shared }: PlanOptions): ParameterPlan & {
  frozen: Frozen | undefined;
  groupOf(name: string): Group;
} {
  const { parameters } = structureOf(model, { classes, crop });
  const specs = parameters.all.map(({ spec }) => spec);
  const frozen = freezingOf(freeze, specs, model.head);
  const groupOf = (name: string): Group => {
    if (name.startsWith(`${model.head}.`)) return 'head';
    return frozen?.parameter(name) ? 'late' : 'backbone';
  };
  // All of a storage are changed by the same steps, at the same rate.
  const companyOf = ({ name, shape, trainable }: ParameterSpec) =>
    elementCount(shape) <= smallSize ? `shared/${trainable ? 'parameters' : 'statistics'}/${groupOf(name)}` : name;
  const sizes = new Map<string, number>();
  for (const spec of specs) sizes.set(companyOf(spec), (sizes.get(companyOf(spec)) ?? 0) + 1);
  return {
    specs,
    storageOf(spec) {
      const company = companyOf(spec);
      return shared && (sizes.get(company) ?? 0) >= fewestTogether ? company : undefined;
    },
    frozen,
    groupOf,
  };
}
