// npm run parity -- [FOLDER]: compares this program's numbers with torchvision's reference files, model by model.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compareModel, type Measurement } from './parity/compare.js';
import type { Reference } from './parity/reference.js';

const folder = resolve(process.argv[2] ?? '../shared/parity');
if (!existsSync(folder)) {
  console.error(`There is no folder ${folder}. Usage: npm run parity -- FOLDER [MODEL...]`);
  process.exit(2);
}
const chosen = process.argv.slice(3);
const references = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .filter((file) => chosen.length === 0 || chosen.includes(basename(file, '.json')))
  .sort()
  .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Partial<Reference>)
  .filter((content): content is Reference => content.model !== undefined && content.eval_logits !== undefined);

const runtime = await openRuntime('auto');
const missing: string[] = [];
const failed: string[] = [];
let passed = 0;
for (const reference of references) {
  const model = findModel(modelNameOf(reference.model));
  if (!model) {
    missing.push(reference.model);
    continue;
  }
  const measurements = await compareModel(runtime, model, reference);
  const outside = measurements.filter(({ error, tolerance }) => !(error <= tolerance));
  if (outside.length > 0) failed.push(reference.model);
  else passed += 1;
  console.log(`${reference.model}: ${outside.length > 0 ? 'FAILED' : 'passed'}`);
  for (const measurement of measurements) console.log(`  ${describe(measurement)}`);
}
if (missing.length > 0) console.log(`Not implemented, so not compared: ${missing.join(', ')}`);
console.log(`${passed} passed, ${failed.length} failed, ${missing.length} not implemented`);
if (failed.length > 0 || passed === 0) process.exitCode = 1;

/** timm calls `tf_efficientnet_lite0` what is `efficientnet_lite0` here. */
function modelNameOf(reference: string): string {
  return reference.replace(/^timm[/_]tf_/, '');
}

function describe({ what, error, tolerance }: Measurement): string {
  const verdict = error <= tolerance ? 'ok' : 'TOO FAR';
  return `${what.padEnd(22)} ${format(error).padStart(9)}  (at most ${format(tolerance)})  ${verdict}`;
}

function format(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toExponential(1);
}
