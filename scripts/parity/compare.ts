// Measures how far this program's numbers are from a reference file's, and whether that is within tolerance.

import type { Runtime } from '#src/graph/session.js';
import type { Model } from '#src/models/model.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { OptimizerOptions } from '#src/training/optimizer.js';
import type { Steps } from '#src/training/steps.js';
import { compareWeights } from '#src/weights/fit-weights.js';
import { type Reference, referencePixels, referenceTensor } from './reference.js';
import { tolerancesOf } from './tolerances.js';

export interface Measurement {
  what: string;
  /** Largest relative error; exact comparisons count differences. */
  error: number;
  tolerance: number;
}

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const trainingImages = 4;

/** Every comparison for which the reference has numbers. */
export async function compareModel(runtime: Runtime, model: Model, reference: Reference): Promise<Measurement[]> {
  const tolerances = tolerancesOf(reference.model);
  const { grad_l2, sgd, adam } = reference;
  const measured = await withSteps({ kind: 'sgd', momentum: sgd?.momentum ?? 0.9 }, (steps) => [
    ...compareStructure(steps, reference),
    { what: 'logits', error: logitsError(steps, reference), tolerance: tolerances.logits },
    ...(grad_l2
      ? [{ what: 'gradients', error: gradientError(steps, reference, grad_l2), tolerance: tolerances.gradients }]
      : []),
    ...(sgd ? compareLosses('SGD', trainLosses(steps, reference, sgd), sgd.losses, tolerances.sgd) : []),
    ...(sgd && Object.keys(sgd.buffers_l2).length > 0
      ? [{ what: 'running statistics', error: bufferError(steps, sgd.buffers_l2), tolerance: tolerances.buffers }]
      : []),
  ]);
  if (!adam) return measured;
  const further = await withSteps({ kind: 'adam' }, (steps) =>
    compareLosses('Adam', trainLosses(steps, reference, adam), adam.losses, tolerances.adam),
  );
  return [...measured, ...further];

  async function withSteps(optimizer: OptimizerOptions, measure: (steps: Steps) => Measurement[]) {
    const input = { crop: reference.image_size, ...imagenet };
    const { classes } = reference;
    const steps = await compileSteps(runtime, { model, classes, input, optimizer, dropout: false });
    try {
      const weights = steps.parameters.map(({ name, shape }) => {
        return [name, { shape, data: referenceTensor(reference.salt, name, shape) }] as const;
      });
      steps.loadWeights(new Map(weights));
      return measure(steps);
    } finally {
      steps.dispose();
    }
  }
}

function compareStructure({ parameters }: Steps, reference: Reference): Measurement[] {
  const found = new Map(Object.entries(reference.state_dict).map(([name, shape]) => [name, { shape }]));
  const { missing, unexpected, misshapen } = compareWeights(parameters, found);
  const names = parameters.map(({ name }) => name);
  const outOfOrder = Object.keys(reference.state_dict).filter((name, index) => names[index] !== name);
  const differences = missing.length + unexpected.length + misshapen.length + outOfOrder.length;
  const trainable = parameters
    .filter((parameter) => parameter.trainable)
    .reduce((total, { shape }) => total + shape.reduce((product, size) => product * size, 1), 0);
  return [
    { what: 'names, shapes, order', error: differences, tolerance: 0 },
    { what: 'parameters', error: Math.abs(trainable - reference.params), tolerance: 0 },
  ];
}

function logitsError(steps: Steps, reference: Reference): number {
  const images = reference.eval_logits.length;
  const pixels = referencePixels(reference.salt, images, reference.image_size);
  const { logits } = steps.evaluate({ pixels, labels: new Int32Array(images) });
  const expected = reference.eval_logits.flat();
  const scale = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, index) => Math.abs(value - (logits[index] ?? Number.NaN)))) / scale;
}

function gradientError(steps: Steps, reference: Reference, norms: Readonly<Record<string, number>>): number {
  const found = steps.gradients(trainingBatch(reference));
  return normError(
    norms,
    (name) => l2(found.get(name)?.data ?? []),
    // Smaller ones are rounding noise in any implementation.
    1e-5 * Math.max(...Object.values(norms)),
  );
}

function bufferError(steps: Steps, norms: Readonly<Record<string, number>>): number {
  const weights = steps.readWeights();
  return normError(norms, (name) => l2(weights.get(name)?.data ?? []));
}

function normError(expected: Readonly<Record<string, number>>, norm: (name: string) => number, atLeast = 0): number {
  const considered = Object.entries(expected).filter(([, value]) => value > atLeast);
  return Math.max(...considered.map(([name, value]) => Math.abs(norm(name) - value) / value));
}

function trainLosses(
  steps: Steps,
  reference: Reference,
  { lr, losses }: { lr: number; losses: readonly number[] },
): number[] {
  const batch = trainingBatch(reference);
  return losses.map(() => steps.train(batch, lr).loss);
}

/** Relative errors, step by step; `tolerances` end where the last one holds for all further steps. */
export function compareLosses(
  what: string,
  found: readonly number[],
  expected: readonly number[],
  tolerances: readonly number[],
): Measurement[] {
  // Of a loss that has all but vanished, only rounding is left to compare.
  const least = Math.abs(expected[0] ?? 0) / 100;
  return expected.map((value, index) => ({
    what: `${what} loss ${index + 1}`,
    error: Math.abs((found[index] ?? Number.NaN) - value) / Math.max(Math.abs(value), least),
    tolerance: tolerances[index] ?? tolerances.at(-1) ?? 0,
  }));
}

function trainingBatch({ salt, image_size }: Reference) {
  const labels = Int32Array.from({ length: trainingImages }, (_, index) => index);
  return { pixels: referencePixels(salt, trainingImages, image_size), labels };
}

function l2(values: ArrayLike<number>): number {
  let squares = 0;
  for (let index = 0; index < values.length; index++) squares += (values[index] ?? 0) ** 2;
  return Math.sqrt(squares);
}
