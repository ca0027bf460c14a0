// node build/bench/loader.js [side]: how many images a second the loader delivers in the second epoch and later, from JPEGs
// of so many pixels a side (256) and from what each --cache has kept of them, as one line of JSON.

import { link, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scanImageFolder } from '#src/data/image-folder.js';
import { createLoader } from '#src/data/loader.js';
import type { CacheSettings } from '#src/data/pixel-cache.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { epochOrder } from '#src/data/random.js';
import { writeBenchImages } from './images.js';

const side = Number(process.argv[2] ?? 256);
const batchSize = 128;
/** Files of different content, and names for each: what is kept is kept by name. */
const [files, names] = [50, 20];
const leastSeconds = 5;
const preprocessing = preprocessings.resnet;

const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-bench-'));
try {
  await writeBenchImages(folder, files, side);
  await multiply(join(folder, 'train'));
  console.log(JSON.stringify(await measure()));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function multiply(train: string): Promise<void> {
  for (const name of await readdir(train, { recursive: true })) {
    if (!name.endsWith('.jpg')) continue;
    for (let copy = 1; copy < names; copy++)
      await link(join(train, name), join(train, name.replace('.jpg', `-${copy}.jpg`)));
  }
}

async function measure() {
  const { images } = await scanImageFolder(join(folder, 'train'));
  const imageBytes = 3 * preprocessing.crop ** 2;
  const caches: Record<string, CacheSettings | undefined> = {
    off: undefined,
    ram: { kind: 'ram', bytes: images.length * imageBytes },
    disk: { kind: 'disk', folder: join(folder, 'images'), dataDir: folder },
  };
  const perSecond: Record<string, number> = {};
  for (const [name, cache] of Object.entries(caches)) {
    const pass = async (epoch: number) => {
      const order = epochOrder(images.length, 42, epoch);
      for await (const _ of createLoader({ images, order, batchSize, preprocessing, cache }));
    };
    // It starts the decoding thread, or fills the cache.
    await pass(0);
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1000;
    let epochs = 0;
    while (epochs === 0 || seconds() < leastSeconds) await pass(++epochs);
    perSecond[name] = Math.round((epochs * images.length) / seconds());
  }
  return { side, images: images.length, images_per_second: perSecond };
}
