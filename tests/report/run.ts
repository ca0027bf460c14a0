// A made-up run with its files, for the tests of pages.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TestRecord } from '#src/report/test-detail.js';
import { descriptionFile, type RunDescription } from '#src/reporting/run-description.js';
import { nameRunFiles } from '#src/reporting/run-files.js';
import { metrics, noon } from '../reporting/run.js';

export const makeFolder = () => mkdtempSync(join(tmpdir(), 'deep-cnn-report-'));

/** Two epochs, the first one the better. */
export function describedRun(root: string, changed: Partial<RunDescription> = {}, runName = 'mine'): RunDescription {
  const epoch = { train: metrics(2), learningRate: 1e-3, seconds: 12, imagesPerSecond: 24 };
  return {
    ...{ state: 'finished', started: noon.toISOString(), resumed: [], written: noon.toISOString() },
    program: { version: '1.2.3', commit: 'abc', isChanged: true, node: '20.1.0', platform: 'linux-x64' },
    device: { kind: 'cpu', precision: 'bf16', threads: 2 },
    options: { run_name: runName, lr: 0.5, epochs: 2, model: 'resnet18', exif: false, data_dir: join(root, 'data') },
    data: { classes: ['alley', 'beach', 'canyon'], train: 48, validation: 12, test: 6, sha256: 'f00' },
    weights: null,
    epochs: [
      { ...epoch, epoch: 1, validation: metrics(1.25) },
      { ...epoch, epoch: 2, validation: metrics(1.5) },
    ],
    timings: [{ epoch: 1, steps: 6, waiting: 2, validation: 2 }],
    test: metrics(1.75),
    files: nameRunFiles({ root_dir: root, run_name: runName }, noon),
    ...changed,
  };
}

/** Writes its description where a run leaves it. */
export function writeRun(run: RunDescription): string {
  const path = descriptionFile(run.files);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(run));
  return path;
}

/** Each image is taken for the class after its own, but for those of the first class. */
export function testedRecord(classes: readonly string[], folder: string): TestRecord {
  const record = new TestRecord(classes);
  const images = classes.flatMap((name, label) => [0, 1].map((n) => ({ path: join(folder, name, `${n}.jpg`), label })));
  const scores = images.map(({ label }, row) => {
    const taken = label === 0 ? 0 : (label + 1) % classes.length;
    return classes.map((_, index) => (index === taken ? 2 + row : 0));
  });
  record.addScores(images, Float32Array.from(scores.flat()));
  return record;
}
