// A small network in a file, and images to send to it.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors } from '#src/weights/safetensors.js';
import { referenceNetwork } from '../export/reference-network.js';
import type { LoadPlan } from './load.js';

const images = fileURLToPath(new URL('../../../tests/places_test_input/val/', import.meta.url));

export interface LoadCase {
  plan: Pick<LoadPlan, 'network' | 'images'>;
  remove(): void;
}

export async function loadCase(): Promise<LoadCase> {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-serve-'));
  const { model, classes, preprocessing, weights } = referenceNetwork('mobilenet_v2', { crop: 224 });
  const path = join(folder, 'network.safetensors');
  const metadata = { model, classes: JSON.stringify(classes), preprocessing: JSON.stringify(preprocessing) };
  await writeSafetensors(path, { weights, metadata });
  const files = readdirSync(images, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.jpg'));
  return {
    plan: { network: [`--weights=${path}`], images: files.map((name) => readFileSync(join(images, name))) },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
