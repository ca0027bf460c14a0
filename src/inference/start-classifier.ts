// From a network and what a user says of computing to a classifier that runs.

import type { ComputeChoice } from '../options/network-options.js';
import { openRuntime } from '../tensorflow/runtime.js';
import { floatTypeOf, type Precision } from '../training/precision-choice.js';
import { type Classifier, type ClassifierOptions, openClassifier } from './classifier.js';
import type { NetworkFile } from './network-file.js';

export interface StartedClassifier {
  classifier: Classifier;
  device: 'cpu' | 'cuda';
  precision: Precision;
}

/**
 * Opens TensorFlow, once a process, and the classifier on it. Throws a `UserError` where the device that is wanted is not
 * there.
 */
export async function startClassifier(
  network: NetworkFile,
  wanted: Pick<ComputeChoice, 'device' | 'gpu_memory_limit' | 'precision'>,
  { explains = false, batchSize = 1 }: Pick<ClassifierOptions, 'explains' | 'batchSize'> = {},
): Promise<StartedClassifier> {
  const runtime = await openRuntime(wanted.device, { gpuMemoryMegabytes: wanted.gpu_memory_limit });
  const { device } = runtime;
  const precision = wanted.precision === 'auto' ? trainedPrecision(network, device) : wanted.precision;
  const classifier = await openClassifier(network, runtime, {
    precision: floatTypeOf(precision),
    explains,
    batchSize,
  });
  return { classifier, device, precision };
}

/** That in which it was trained, so that it computes what was measured then; but processors compute no float16. */
function trainedPrecision({ history }: NetworkFile, device: 'cpu' | 'cuda'): Precision {
  const trained = history.options?.['precision'];
  if (trained === 'bf16' || (trained === 'fp16' && device === 'cuda')) return trained;
  return 'fp32';
}
