// The page that opens a network in a browser (src/page), with all that it needs: for every export to TensorFlow.js.

import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of TensorFlow.js, as its packages have them ready for browsers; WebAssembly with SIMD, which all of them know. */
const libraries: readonly (readonly [source: string, name: string])[] = [
  ['tfjs-core/dist/tf-core.es2017.min.js', 'tf-core.min.js'],
  ['tfjs-converter/dist/tf-converter.es2017.min.js', 'tf-converter.min.js'],
  ['tfjs-backend-webgpu/dist/tf-backend-webgpu.es2017.min.js', 'tf-backend-webgpu.min.js'],
  ['tfjs-backend-webgl/dist/tf-backend-webgl.es2017.min.js', 'tf-backend-webgl.min.js'],
  ['tfjs-backend-wasm/dist/tf-backend-wasm.es2017.min.js', 'tf-backend-wasm.min.js'],
  ['tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm-simd.wasm'],
];

/** Of src/data, what the page reads files with, too. */
const shared = [
  'avif-image.js',
  'bytes.js',
  'gif-image.js',
  'orientation.js',
  'refusal.js',
  'tiff-directory.js',
  'tiff-image.js',
];

const compiled = fileURLToPath(new URL('../page/', import.meta.url));
/** HTML and CSS, which nothing compiles. */
const sources = fileURLToPath(new URL('../../src/page/', import.meta.url));

/** Files by their path in the folder of the export: index.html, and the rest in `page` and `data`. */
export async function pageFiles(): Promise<ReadonlyMap<string, Uint8Array>> {
  const scripts = (await readdir(compiled)).filter((name) => name.endsWith('.js'));
  const places = [
    ['index.html', join(sources, 'index.html')],
    ['page/page.css', join(sources, 'page.css')],
    ...scripts.map((name) => [`page/${name}`, join(compiled, name)]),
    ...shared.map((name) => [`data/${name}`, join(compiled, '../data', name)]),
    ...libraries.map(([source, name]) => [`page/tfjs/${name}`, inPackage(source)]),
  ] as const;
  return new Map(await Promise.all(places.map(async ([name, path]) => [name, await readFile(path)] as const)));
}

/** The file of a package of TensorFlow.js's, wherever npm put it. */
function inPackage(source: string): string {
  const [name = '', ...rest] = source.split('/');
  const { resolve } = createRequire(import.meta.url);
  return join(dirname(resolve(`@tensorflow/${name}/package.json`)), ...rest);
}
