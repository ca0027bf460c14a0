// How many images a second the data pipeline delivers when nothing is done with them.

import { scanImageFolder } from '#src/data/image-folder.js';
import { createLoader } from '#src/data/loader.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { epochOrder } from '#src/data/random.js';
import { defaultWorkers } from '#src/data/threads.js';

export interface LoaderBenchOptions {
  /** A folder of class folders with images. */
  folder: string;
  batchSize?: number;
  /** Images to deliver while the clock runs; small folders are gone through several times. */
  images?: number;
  workers?: number;
}

/** Measures the steady rate: the clock starts with the first batch in hand, when everything is running. */
export async function measureLoader(options: LoaderBenchOptions): Promise<{ imagesPerSecond: number }> {
  const { folder, batchSize = 32, images: wanted = 2000, workers = defaultWorkers() } = options;
  const { images } = await scanImageFolder(folder);
  const shuffled = epochOrder(images.length, 0, 0);
  const order = Uint32Array.from({ length: wanted + batchSize }, (_, i) => shuffled[i % shuffled.length] ?? 0);
  const loader = createLoader({ images, order, batchSize, preprocessing: preprocessings.resnet, workers });
  let delivered = -batchSize;
  let startedAt = 0;
  for await (const batch of loader) {
    if (delivered < 0) startedAt = performance.now();
    delivered += batch.size;
  }
  return { imagesPerSecond: (delivered * 1000) / (performance.now() - startedAt) };
}
