// A network in a web server's folder, as `deep-cnn export` leaves it, and what the network itself says of images.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportCommand, runExport } from '#src/commands/export.js';
import { decodeImage } from '#src/data/decode.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { defined } from '#src/defined.js';
import { type Classifier, openClassifier } from '#src/inference/classifier.js';
import type { TrainedNetwork } from '#src/inference/network.js';
import { readOptions } from '#src/options/given.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { writeSafetensors } from '#src/weights/safetensors.js';
import { referenceNetwork } from '../export/reference-network.js';
import { serveFiles, type WebServer } from './chromium.js';

/** One whose probabilities change by more than the bound with one pixel more or less. */
export function sensitiveNetwork(): TrainedNetwork {
  const network = referenceNetwork('resnet18', { crop: 224 });
  const { shape, data } = defined(network.weights.get('fc.weight'));
  const head = { shape, data: data.map((value) => 10 * value) };
  return {
    ...network,
    weights: new Map([...network.weights, ['fc.weight', head]]),
    preprocessing: preprocessings.resnet,
  };
}

export interface PageCase {
  server: WebServer;
  /** The network's own probabilities, by class. */
  expected(path: string): Promise<ReadonlyMap<string, number>>;
  /** For files of the test. */
  folder: string;
  stop(): void;
}

/** Exports the network as the command does. */
export async function createPageCase(network: TrainedNetwork): Promise<PageCase> {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-page-'));
  const { model, classes, preprocessing, weights } = network;
  const file = join(folder, 'network.safetensors');
  const metadata = { model, classes: JSON.stringify(classes), preprocessing: JSON.stringify(preprocessing) };
  await writeSafetensors(file, { weights, metadata });
  const output = join(folder, 'export');
  await exportTo(output, file);
  const server = await serveFiles(filesBelow(output));
  const classifier = await openClassifier(network, await openRuntime('cpu'));
  return {
    server,
    folder,
    expected: (path) => probabilitiesBy(classifier, network, path),
    stop() {
      server.stop();
      classifier.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function exportTo(output: string, weights: string): Promise<void> {
  const given = Object.entries({ weights, output, format: 'tfjs', verify: 'False' });
  const options = new Map(given.map(([name, value]) => [name, { value, where: `--${name}` }]));
  await runExport(readOptions(exportCommand.options, [options]), { print: () => {} });
}

/** All files in and below a folder, by their path in it. */
export function filesBelow(folder: string): ReadonlyMap<string, Uint8Array> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(folder.length + 1), readFileSync(path)];
    }),
  );
}

async function probabilitiesBy(classifier: Classifier, { classes, preprocessing }: TrainedNetwork, path: string) {
  const pixels = new Uint8Array(Math.ceil((preprocessing.crop ** 2 * 3) / 4) * 4);
  pixels.set(await decodeImage(path, preprocessing));
  const { probabilities } = classifier.classify({ pixels, size: 1 });
  return new Map(classes.map((name, index) => [name, probabilities[index] ?? Number.NaN]));
}

/** The largest difference of the probabilities that were found. */
export function largestDifference(found: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>): number {
  return [...found].reduce((most, [name, value]) => {
    const difference = Math.abs(value - (expected.get(name) ?? Number.NaN));
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }, 0);
}
