// Whether what was written computes what the network computed before: both see the same images.

import { decodeImage } from '../data/decode.js';
import { shownPath } from '../data/shown-path.js';
import { messageOf, UserError } from '../errors.js';
import type { Runtime } from '../graph/session.js';
import type { TrainedNetwork } from '../inference/network.js';
import { mostLikely } from '../inference/ranking.js';
import { openUnchanged } from '../inference/unchanged.js';
import type { Exported, Images } from './formats.js';
import type { InputKind } from './network.js';
import type { Quantization } from './tfjs-weights.js';

export interface Agreement {
  images: number;
  /** The largest difference of a probability. */
  difference: number;
  /** Images for which both find the same class the most likely. */
  sameClass: number;
}

/** The largest difference of a probability that is put up with. */
export const bounds: Readonly<Record<Quantization, number>> = { none: 1e-5, float16: 0.02, uint8: 0.2 };

const batchSize = 8;

/** Runs both on the images in these files. */
export async function compareOnImages(
  paths: readonly string[],
  {
    network,
    input,
    exported,
    runtime,
  }: { network: TrainedNetwork; input: InputKind; exported: Exported; runtime: Runtime },
): Promise<Agreement> {
  const { preprocessing } = network;
  const before = await openUnchanged(network, runtime);
  const agreement: Agreement = { images: 0, difference: 0, sameClass: 0 };
  try {
    for (let start = 0; start < paths.length; start += batchSize) {
      const files = paths.slice(start, start + batchSize);
      const bytes = Buffer.concat(await Promise.all(files.map((path) => decode(path, network))));
      const floats = normalise(bytes, preprocessing);
      const expected = before.run(floats, files.length);
      const images = input === 'bytes' ? new Uint8Array(bytes) : floats;
      const found = await exported.run(...laidOut(images, files.length, preprocessing.crop, exported.channelsFirst));
      add(agreement, expected, found, files.length);
    }
    return agreement;
  } finally {
    before.close();
  }
}

async function decode(path: string, { preprocessing }: TrainedNetwork): Promise<Uint8Array> {
  try {
    return await decodeImage(path, preprocessing);
  } catch (error) {
    throw new UserError(`The image ${shownPath(path)} can't be read`, { found: messageOf(error) }, { cause: error });
  }
}

/** (x / 255 - mean) / std */
function normalise(bytes: Uint8Array, { mean, std }: TrainedNetwork['preprocessing']): Float32Array {
  return Float32Array.from(bytes, (value, i) => (value / 255 - (mean[i % 3] ?? 0)) / (std[i % 3] ?? 1));
}

function laidOut(images: Images, count: number, crop: number, channelsFirst: boolean): [Images, number[]] {
  if (!channelsFirst || images instanceof Uint8Array) return [images, [count, crop, crop, 3]];
  const pixels = crop * crop;
  const planes = images.map((_, index) => {
    const [image, rest] = [Math.floor(index / (3 * pixels)), index % (3 * pixels)];
    return images[(image * pixels + (rest % pixels)) * 3 + Math.floor(rest / pixels)] ?? 0;
  });
  return [planes, [count, 3, crop, crop]];
}

function add(agreement: Agreement, expected: ArrayLike<number>, found: ArrayLike<number>, images: number): void {
  const classes = expected.length / images;
  if (found.length !== expected.length) throw new Error(`internal: ${found.length} probabilities for ${images} images`);
  for (let image = 0; image < images; image++) {
    const [a, b] = [expected, found].map((all) =>
      Array.from({ length: classes }, (_, c) => all[image * classes + c] ?? 0),
    );
    const differences = (a ?? []).map((value, c) => Math.abs(value - (b?.[c] ?? 0)));
    // A difference that is no number is no agreement.
    const largest = differences.reduce((most, value) => Math.max(value, most), 0);
    agreement.difference = Math.max(largest, agreement.difference);
    if (mostLikely(a ?? []) === mostLikely(b ?? [])) agreement.sameClass += 1;
    agreement.images += 1;
  }
}
