// Address space for tensors. On a processor TensorFlow keeps large tensors in regions, each twice as large as the one
// before, and what is free in one never joins what is free in another. The tensors of a training step fit more tightly
// into a single region.

import { totalmem } from 'node:os';
import { readableText } from '../readable-text.js';
import type { Tensorflow } from './load.js';

interface Backend {
  binding: Record<'TF_ATTR_TYPE' | 'TF_ATTR_BOOL' | 'TF_FLOAT', number>;
  executeSingleOutput(
    op: string,
    attributes: readonly { name: string; type: number; value: unknown }[],
    inputs: readonly unknown[],
  ): unknown;
}

/**
 * Small tensors that stay from step to step, such as the last batch norms' statistics, come to lie behind what a step keeps.
 * TensorFlow takes the smallest room that is large enough: were there less behind them than before them, the next step would
 * begin behind, and use all of the region.
 */
const spread = 2;

/**
 * Makes TensorFlow's next region hold a computation of `bytes`, with much room to spare. Its pages count as memory only when
 * they are used; what counts at once is its table, 1/32 of it. Nothing happens where addresses are limited (`ulimit -v`, or a
 * system that promises no more than it has), nor where there is no room.
 */
export function reserveRegion(tf: Tensorflow, bytes: number): void {
  if (bytes > totalmem() || areAddressesLimited()) return;
  const backend = tf.backend() as unknown as Backend;
  const { TF_ATTR_TYPE, TF_ATTR_BOOL, TF_FLOAT } = backend.binding;
  tf.tidy(() => {
    // In two dimensions, as a dimension is an int32.
    const shape = tf.tensor1d([Math.ceil((spread * bytes) / 4096), 1024], 'int32');
    const attributes = [
      { name: 'dtype', type: TF_ATTR_TYPE, value: TF_FLOAT },
      { name: 'init', type: TF_ATTR_BOOL, value: false },
    ];
    try {
      // Freed at once, and the region stays.
      backend.executeSingleOutput('Empty', attributes, [shape]);
    } catch {
      // Regions then grow as they do without.
    }
  });
}

function areAddressesLimited(): boolean {
  const isLimited = /^Max address space\s+\d/m.test(readableText('/proc/self/limits'));
  const promisesNoMore = readableText('/proc/sys/vm/overcommit_memory').trim() === '2';
  return isLimited || promisesNoMore;
}
