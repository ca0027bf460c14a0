// node build/bench/listing.js [images] [folder]: how long it takes to list a data set of that many images (a million), and
// in how much memory, as one line of JSON. The images are empty files in 365 class folders, made first, in memory where
// the system has a place for that. Names are as long as those of Places365.

import { execFile } from 'node:child_process';
import { accessSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openDataset } from '#src/data/dataset.js';
import { fingerprintOf } from '#src/training/checkpoint/fingerprint.js';

const classes = 365;

if (process.argv[2] === 'list') await list(process.argv[3] ?? '');
else await measure(Number(process.argv[2] ?? 1_000_000), process.argv[3] ?? inMemory());

async function measure(images: number, place: string): Promise<void> {
  const folder = await mkdtemp(join(place, 'deep-cnn-listing-'));
  try {
    for (let index = 0; index < images; index++) {
      const classFolder = join(folder, 'train', `class_${String(index % classes).padStart(3, '0')}`);
      if (index < classes) mkdirSync(classFolder, { recursive: true });
      closeSync(openSync(join(classFolder, `Places365_val_${String(index).padStart(8, '0')}.jpg`), 'w'));
    }
    // In a process of its own: making the files has taken memory, too.
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(import.meta.url), 'list', folder]);
    process.stdout.write(stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function list(folder: string): Promise<void> {
  const rssMb = () => process.resourceUsage().maxRSS / 1024;
  const [startedAt, rssBefore] = [performance.now(), rssMb()];
  const dataset = await openDataset(folder, { valSplit: 0.2 });
  const [listedAt, rssListed] = [performance.now(), rssMb()];
  const fingerprint = fingerprintOf(dataset, folder);
  console.log(
    JSON.stringify({
      images: fingerprint.train + fingerprint.validation,
      classes: dataset.classes.length,
      list_seconds: (listedAt - startedAt) / 1000,
      fingerprint_seconds: (performance.now() - listedAt) / 1000,
      peak_rss_mb: rssMb(),
      peak_rss_listed_mb: rssListed,
      rss_before_mb: rssBefore,
    }),
  );
}

function inMemory(): string {
  try {
    accessSync('/dev/shm');
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}
