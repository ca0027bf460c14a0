#!/usr/bin/env node
// Makes a checkout ready to run: npm packages, compiled TypeScript, TensorFlow. Each step is done only when needed, and
// when nothing is, this prints nothing. Node's own modules only, since it runs before any other is there.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { acquireLock } from '../src/file-lock.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const inRoot = (/** @type {string[]} */ ...parts) => join(root, ...parts);
const stampPath = inRoot('dist/.compiled');

const help = `Usage: npm run setup -- [--cpu | --cuda | --auto | --check]

Installs npm packages, compiles TypeScript and installs TensorFlow, each only when needed.
npm start and npm test do this by themselves.

  --cpu     install TensorFlow for the CPU (0.8 GB), and use it from now on
  --cuda    install TensorFlow for NVIDIA GPUs (5.7 GB), and use it from now on
  --auto    forget that choice: CUDA with an NVIDIA GPU, else the CPU
  --check   leave TensorFlow as it is
  -h        show this

Environment:
  DEEP_CNN_CACHE           the folder for large files (default ~/.cache/deep-cnn)
  DEEP_CNN_LIBTENSORFLOW   a folder with a libtensorflow of your own: lib/ and include/, or a Python package's`;

/** A failure that the user can mend: printed without a stack. */
class SetupError extends Error {}

try {
  await setUp(process.argv.slice(2));
} catch (error) {
  const isTold = error instanceof SetupError || (error instanceof Error && error.name === 'UserError');
  process.stderr.write(`${isTold ? `Error: ${error.message}` : error instanceof Error ? error.stack : error}\n`);
  process.exitCode = isTold ? 2 : 1;
}

/** @param {string[]} args */
async function setUp(args) {
  if (args.includes('-h') || args.includes('--help')) {
    console.log(help);
    return;
  }
  const [choice, ...more] = args;
  if (more.length > 0 || (choice && !['--cpu', '--cuda', '--auto', '--check'].includes(choice))) {
    throw new SetupError(`set-up takes one of --cpu, --cuda, --auto and --check, not \`${args.join(' ')}\`.`);
  }
  checkNode();
  await prepareCheckout();
  if (choice === '--check') return;

  const { setUpTensorflow } = await import('../dist/commands/setup.js');
  const inUse = await setUpTensorflow(choice?.slice('--'.length));
  if (choice) process.stderr.write(`set-up: using ${inUse}\n`);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(`deep-cnn needs Node 20.19 or newer, found ${process.versions.node}. Install a newer Node.`);
  }
  if (process.platform !== 'linux') {
    throw new SetupError(
      `deep-cnn runs on Linux (x64 or arm64), found ${process.platform}. Use a Linux machine, a container or WSL.`,
    );
  }
}

/** Installs packages and compiles, under a lock, so that several starts at once do it once. */
async function prepareCheckout() {
  if (packagesAreInstalled() && isCompiled()) return;
  let release;
  try {
    mkdirSync(inRoot('.cache'), { recursive: true });
    release = await acquireLock(inRoot('.cache/setup.lock'), (holder) => {
      process.stderr.write(`set-up: ${holder} is setting this folder up; waiting for it\n`);
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === undefined) throw error;
    throw new SetupError(`${root} can't be written to (${code}), and has yet to be set up. Use a copy of your own.`);
  }
  try {
    if (!packagesAreInstalled()) await installPackages();
    if (!isCompiled()) await compile();
  } finally {
    release();
  }
}

/** Whether every package of the lock file is there in its version, by npm's own record, which it writes last. */
function packagesAreInstalled() {
  const wanted = readJson(inRoot('package-lock.json'))?.packages;
  const present = readJson(inRoot('node_modules/.package-lock.json'))?.packages;
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === '' || present[path]?.version === version || (optional && !present[path]),
  );
}

async function installPackages() {
  const npm = process.env['npm_execpath'];
  // Under `npm start` npm says where it lies; it need not be on PATH.
  const command = npm && basename(npm) === 'npm-cli.js' ? [process.execPath, npm] : ['npm'];
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional'];
  const { status, output } = await showStep('installing npm packages', [...command, ...args]);
  if (status === 0) return;
  if (/ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/.test(output)) {
    throw new SetupError(
      'npm could not reach its registry. Check the network and, where one is needed, the proxy or mirror (`npm config get registry`), and start again.',
    );
  }
  if (/ENOSPC|EDQUOT/.test(output)) {
    throw new SetupError(`The disk or quota is full (installing npm packages in ${root}). Make room and start again.`);
  }
  process.stderr.write(output);
  throw new SetupError('npm could not install the packages (see above). Mend this and start again.');
}

function isCompiled() {
  if (!existsSync(inRoot('build'))) return false;
  try {
    return readFileSync(stampPath, 'utf8') === sourceStamp();
  } catch {
    return false;
  }
}

/** A hash of what is compiled: each file's path, size and time. */
function sourceStamp() {
  const hash = createHash('sha256');
  const files = ['src', 'tests', 'scripts', 'bench', 'examples'].flatMap((folder) => sources(inRoot(folder)));
  const settings = ['tsconfig.json', 'package.json', 'node_modules/.package-lock.json'].map((name) => inRoot(name));
  for (const path of [...files, ...settings].sort()) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat) hash.update(`${relative(root, path)}\0${stat.size}\0${stat.mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/**
 * The files in and below a folder that the compiler reads.
 *
 * @param {string} folder
 * @returns {string[]}
 */
function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : /\.m?ts$|\.mjs$|\.json$/.test(entry.name) ? [path] : [];
  });
}

async function compile() {
  // Taken before the compiler reads the files, so that one edited meanwhile counts as changed at the next start.
  const stamp = sourceStamp();
  rmSync(stampPath, { force: true });
  // A build record without what it describes would make the compiler do nothing.
  for (const [folder, sample] of [
    ['dist', 'errors.js'],
    ['build', 'tests'],
  ]) {
    if (!existsSync(inRoot(folder, sample))) rmSync(inRoot(folder, '.tsbuildinfo'), { force: true });
  }
  const tsc = inRoot('node_modules/typescript/bin/tsc');
  const { status, output } = await showStep('compiling TypeScript', [
    process.execPath,
    tsc,
    '--build',
    inRoot('tests'),
  ]);
  if (status !== 0) {
    process.stderr.write(output);
    throw new SetupError('TypeScript found mistakes (see above). Correct them and start again.');
  }
  removeOrphans(inRoot('dist'), inRoot('src'));
  for (const folder of ['tests', 'scripts', 'bench', 'examples'])
    removeOrphans(inRoot('build', folder), inRoot(folder));
  mkdirSync(inRoot('build'), { recursive: true });
  writeFileSync(stampPath, stamp);
}

/**
 * Removes compiled files whose source is gone, since the compiler leaves them: a deleted test would go on being run.
 *
 * @param {string} compiled
 * @param {string} source
 */
function removeOrphans(compiled, source) {
  if (!existsSync(compiled)) return;
  for (const entry of readdirSync(compiled, { withFileTypes: true })) {
    const path = join(compiled, entry.name);
    if (entry.isDirectory()) {
      removeOrphans(path, join(source, entry.name));
      continue;
    }
    const match = /^(.+?)(?:\.d)?\.(m?)[jt]s(?:\.map)?$/.exec(entry.name);
    if (!match) continue;
    const names = [`${match[1]}.${match[2]}ts`, `${match[1]}.${match[2]}js`];
    if (!names.some((name) => existsSync(join(source, name)))) rmSync(path);
  }
}

/**
 * Runs a program as a step that is shown by one line, and collects what it prints.
 *
 * @param {string} text
 * @param {string[]} command
 * @returns {Promise<{ status: number | null, output: string }>}
 */
function showStep(text, [program = '', ...args]) {
  const startMs = performance.now();
  process.stderr.write(`set-up: ${text} ... `);
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const finish = (/** @type {number | null} */ status) => {
      process.stderr.write(status === 0 ? `${((performance.now() - startMs) / 1000).toFixed(1)} s\n` : 'failed\n');
      resolve({ status, output });
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (/** @type {string} */ chunk) => {
        output += chunk;
      });
    }
    child.on('error', (error) => {
      output += `${error.message}\n`;
    });
    child.on('close', finish);
  });
}

/** @param {string} path */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
