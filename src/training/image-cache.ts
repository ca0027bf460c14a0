import { join } from 'node:path';
import type { CacheSettings } from '../data/pixel-cache.js';
import type { Preprocessing } from '../data/preprocessing.js';
import type { TrainConfig } from '../options.js';
import type { Report } from '../reporting/events.js';
import { availableBytes } from './available-memory.js';

/** Of the memory that is free when the run begins. */
const mostOfMemory = 0.5;

/** Where a run keeps its decoded images; nowhere unless it was told. Warns where memory has no room for all of them. */
export function imageCacheFor(
  { cache, root_dir: root, data_dir: dataDir }: Pick<TrainConfig, 'cache' | 'root_dir' | 'data_dir'>,
  { images, preprocessing }: { images: number; preprocessing: Preprocessing },
  report: Report,
  freeBytes?: number,
): CacheSettings | undefined {
  if (cache === 'disk') return { kind: 'disk', folder: join(root, 'outputs', 'images'), dataDir };
  if (cache !== 'ram') return undefined;
  const imageBytes = 3 * preprocessing.crop ** 2;
  const fitting = Math.floor((mostOfMemory * (freeBytes ?? availableBytes())) / imageBytes);
  if (fitting < images) {
    const message = `Memory has room for ${fitting} of ${images} decoded images; the others are decoded in every epoch`;
    report({ kind: 'warning', message });
  }
  return { kind: 'ram', bytes: Math.min(fitting, images) * imageBytes };
}
