// What PyTorch computed (make-figures.py), and the network, batches and rates with which it did.

import { readFileSync } from 'node:fs';
import { sigmoid } from '#src/graph/ops/activation.js';
import { reshape } from '#src/graph/ops/array.js';
import type { Model } from '#src/models/model.js';
import type { InputImages } from '#src/training/input.js';
import type { StepBatch } from '#src/training/steps.js';
import type { StateDict } from '#src/weights/state-dict.js';

interface Figures {
  losses: readonly LossFigure[];
  optimizers: Readonly<Record<string, TrainingFigure>>;
}

export interface LossFigure {
  /** The size of the batch. */
  rows: number;
  smoothing?: number;
  weighted?: boolean;
  /** Of each image's own label. */
  share?: number;
  loss: number;
  gradient: readonly number[];
}

/** The loss of each step, and the weights at the end. */
export interface TrainingFigure {
  losses: readonly number[];
  weights: Readonly<Record<string, readonly number[]>>;
}

// Compiled tests lie in build/tests/training, what they read in tests/training.
const file = new URL('../../../tests/training/torch-figures.json', import.meta.url);
export const figures: Figures = JSON.parse(readFileSync(file, 'utf8'));

export function trainingFigure(name: string): TrainingFigure {
  const figure = figures.optimizers[name];
  if (!figure) throw new Error(`no figures for ${name}`);
  return figure;
}

export const classes = 4;
export const classWeights = [0.5, 2, 1.25, 0.75];
export const rates = [0.05, 0.02, 0.04, 0.03, 0.01, 0.05];
export const shares = [0.9, 0.35, 0.5, 0.2, 1, 0.75];

export const input: InputImages = { crop: 2, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };

/** Two layers and no convolution. */
export const twoLayers: Model = {
  build(m, images, outputs) {
    return m.linear('fc', sigmoid(m.linear('body', reshape(images, [null, 12]), 3)), outputs);
  },
  head: 'fc',
};

function numbers(count: number, factor: number, shift: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (((i * factor + shift) % 17) - 8) / 16);
}

export function startWeights(): StateDict {
  return new Map([
    ['body.weight', { shape: [3, 12], data: numbers(36, 7, 3) }],
    ['body.bias', { shape: [3], data: numbers(3, 5, 1) }],
    ['fc.weight', { shape: [4, 3], data: numbers(12, 11, 2) }],
    ['fc.bias', { shape: [4], data: numbers(4, 3, 9) }],
  ]);
}

export function batchOf(step: number): StepBatch {
  const images = step % 2 === 0 ? 5 : 3;
  const pixels = Uint8Array.from({ length: images * 12 }, (_, i) => (i * 37 + step * 101 + i * i * 13) % 256);
  return { pixels, labels: Int32Array.from({ length: images }, (_, i) => (i * 3 + step) % classes) };
}
