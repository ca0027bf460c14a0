// Random changes of training images. Everything is drawn here, from the run's seed, the epoch and the image's index
// alone; the addons (src/tensorflow/native) turn what was drawn into pixels.

import { imageRandom, type MersenneTwister } from './random.js';

/** The choices of `--augment`. */
export const augmentations = ['none', 'basic', 'trivial'] as const;

/**
 * `basic` resizes a random box of the image (torchvision's RandomResizedCrop) and mirrors every other one; `trivial`
 * also applies one random operation of a random strength (TrivialAugment's wide space, arXiv:2103.10158).
 */
export type Augmentation = (typeof augmentations)[number];

/** How an epoch's images are changed. */
export interface AugmentOptions {
  kind: Augmentation;
  /** The run's seed, an integer. */
  seed: number;
  /** From 0. */
  epoch: number;
}

/** A random square: the numbers of a Recipe in src/tensorflow/native/square.h. */
export type Recipe = Float64Array;

/** Least and largest share of the image's area that a box covers. */
const areas = [0.08, 1] as const;
/** Least and largest width of a box divided by its height. */
const aspects = [3 / 4, 4 / 3] as const;
/** How many boxes are drawn before the one that fits any image is taken. */
const tries = 10;

const strengths = 31;

interface Operation {
  name: string;
  /** Each is as likely as the others. */
  magnitudes: readonly number[];
  /** Whether half of them are negated. */
  signed: boolean;
}

/** In the order of `Operation` in src/tensorflow/native/augment.h, which also has the units. */
const operations: readonly Operation[] = [
  { name: 'Identity', magnitudes: [0], signed: false },
  { name: 'ShearX', magnitudes: spaced(0, 0.99), signed: true },
  { name: 'ShearY', magnitudes: spaced(0, 0.99), signed: true },
  { name: 'TranslateX', magnitudes: spaced(0, 32), signed: true },
  { name: 'TranslateY', magnitudes: spaced(0, 32), signed: true },
  { name: 'Rotate', magnitudes: spaced(0, 135), signed: true },
  { name: 'Brightness', magnitudes: spaced(0, 0.99), signed: true },
  { name: 'Color', magnitudes: spaced(0, 0.99), signed: true },
  { name: 'Contrast', magnitudes: spaced(0, 0.99), signed: true },
  { name: 'Sharpness', magnitudes: spaced(0, 0.99), signed: true },
  { name: 'Posterize', magnitudes: spaced(8, 2).map(Math.round), signed: false },
  { name: 'Solarize', magnitudes: spaced(255, 0), signed: false },
  { name: 'AutoContrast', magnitudes: [0], signed: false },
  { name: 'Equalize', magnitudes: [0], signed: false },
];

/** What becomes of the image at `index` in this epoch; undefined if nothing random does. */
export function drawRecipe({ kind, seed, epoch }: AugmentOptions, index: number): Recipe | undefined {
  if (kind === 'none') return undefined;
  const random = imageRandom(seed, epoch, index);
  const boxes = Array.from({ length: tries }, () => [
    between(...areas, uniform(random)),
    Math.exp(between(Math.log(aspects[0]), Math.log(aspects[1]), uniform(random))),
  ]);
  const place = [uniform(random), uniform(random)];
  const flip = below(2, random);
  const change = kind === 'trivial' ? drawOperation(random) : [0, 0];
  return Float64Array.from([...boxes.flat(), ...place, flip, ...change]);
}

/** An operation's number and its magnitude. */
function drawOperation(random: MersenneTwister): [number: number, magnitude: number] {
  const number = below(operations.length, random);
  const { magnitudes, signed } = operations[number] ?? { magnitudes: [0], signed: false };
  const magnitude = magnitudes[below(magnitudes.length, random)] ?? 0;
  return [number, signed && below(2, random) === 1 ? -magnitude : magnitude];
}

/**
 * Strengths from `start` to `end`. torch.linspace's single-precision numbers, as translations are truncated to whole
 * pixels: the 16th is 15.999999, and so 15.
 */
function spaced(start: number, end: number): number[] {
  const step = Math.fround((Math.fround(end) - Math.fround(start)) / (strengths - 1));
  return Array.from({ length: strengths }, (_, i) =>
    Math.fround(i < strengths / 2 - 1 ? start + step * i : Math.fround(end) - step * (strengths - 1 - i)),
  );
}

const between = (low: number, high: number, share: number) => low + (high - low) * share;

/** Uniform over 0 <= x < 1. */
const uniform = (random: MersenneTwister) => random.nextUint32() / 2 ** 32;

/** A whole number, uniform over 0 .. count - 1. */
const below = (count: number, random: MersenneTwister) => Math.floor(uniform(random) * count);
