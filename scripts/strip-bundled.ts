// Makes the two packages that travel inside ours fit for it, before `npm pack` takes them out of node_modules. Their own
// install scripts would fetch a TensorFlow that is not used, and their dependencies serve those scripts; what they need
// when they run stands in our package.json. What is left of node-pre-gyp is never run: src/tensorflow/load.ts answers in
// its place. Set-up needs neither scripts nor dependencies of theirs, so that the checkout works as before.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeTextAtomically } from '#src/atomic-file.js';

/** What is packed of each; undeclared files are not. */
const bundled: Readonly<Record<string, readonly string[]>> = {
  '@mapbox/node-pre-gyp': ['lib/node-pre-gyp.js'],
  '@tensorflow/tfjs-node-gpu': ['binding', 'dist', '!dist/**/*_test.*', '!dist/run_tests.*'],
};

const note =
  'As published, but for the fields files, gypfile, scripts, bin and dependencies, which deep-cnn has changed: see its scripts/strip-bundled.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

for (const [name, files] of Object.entries(bundled)) {
  const path = join(root, 'node_modules', name, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  // Written even where nothing changes: npm reads a package itself only when its folder is newer than its record of all.
  writeTextAtomically(path, `${JSON.stringify(strip(manifest, files), undefined, 2)}\n`);
}

function strip(manifest: Readonly<Record<string, unknown>>, files: readonly string[]): Record<string, unknown> {
  const { scripts: _, bin: __, dependencies: ___, devDependencies: ____, ...kept } = manifest;
  // npm compiles whatever has a binding.gyp unless it is told not to.
  return { ...kept, '//': note, files, gypfile: false };
}
