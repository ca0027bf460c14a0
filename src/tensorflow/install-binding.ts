// Compiles the addons, and proves that they work: tfjs-node-gpu's, without which nothing runs, ours that makes squares of
// images, and our JPEG decoder, kernels, and limit of GPUs' memory, which are left out where this libtensorflow does not
// have what they need.

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../errors.js';
import {
  bindingFolder,
  bindingName,
  gpuMemoryName,
  imageSquareName,
  jpegDecoderName,
  kernelsName,
  type SiteLibrary,
  tfjsPackage,
} from './cache.js';
import { runCommand } from './install-command.js';
import { checkSpace, makeStaging, publishFolder, removeLeftovers } from './install-files.js';
import { say, showStep } from './install-progress.js';
import { downloadWheel, extractWheel, findPython } from './install-wheels.js';

const quietEnvironment = { TF_CPP_MIN_LOG_LEVEL: '3', CUDA_VISIBLE_DEVICES: '-1' };

const zigRequirement = 'ziglang==0.15.1';
/** Zig's wheel, its contents and what it compiles on the way. */
const zigBytes = 0.9e9;

interface Compiler {
  name: string;
  command: readonly [string, ...string[]];
  env?: Record<string, string>;
}

/**
 * Builds the addon into the cache. `folder` is where its binding folder goes; `rpath` is where it looks for the
 * libraries at run time. Throws a `UserError` when no compiler can build it, or when it does not load afterwards.
 */
export async function installBinding(folder: string, library: SiteLibrary, rpath: string): Promise<void> {
  removeLeftovers(folder);
  try {
    // Next to the place where it will lie, so that a relative rpath can be tried out before the addon appears.
    const staged = makeStaging(folder);
    const addon = join(staged, bindingName);
    const target = { library, rpath };
    const compiler = await buildBinding(addon, target, makeStaging(folder));
    const version = await showStep('loading TensorFlow for a first time', () => readVersion(addon, library.library));
    await buildImageSquare(join(staged, imageSquareName), compiler);
    await buildJpegDecoder(join(staged, jpegDecoderName), compiler, target);
    await buildKernels(join(staged, kernelsName), compiler, target);
    await buildGpuMemory(join(staged, gpuMemoryName), compiler, target);
    publishFolder(staged, bindingFolder(folder), version);
  } finally {
    removeLeftovers(folder);
  }
}

/** What an addon is linked with, and where it looks for it at run time. */
interface Target {
  library: SiteLibrary;
  rpath: string;
}

/** Builds tfjs's addon with the first compiler that can, and returns that compiler. */
async function buildBinding(addon: string, target: Target, scratch: string): Promise<Compiler> {
  const { folder: tfjs } = tfjsPackage();
  const sources = readdirSync(join(tfjs, 'binding')).filter((file) => file.endsWith('.cc'));
  const work = {
    what: "TensorFlow's binding",
    addon,
    sources: [...sources.map((file) => join(tfjs, 'binding', file)), nativeSource('quiet_start.cc')],
    includes: [tfjs],
    target,
  };
  const own = process.env['CXX']?.trim();
  const failures: string[] = [];
  for (const command of own ? [own] : ['g++', 'clang++', 'c++']) {
    const [program = '', ...args] = command.split(/\s+/);
    if ((await runCommand(program, [...args, '--version'])).status !== 0) {
      if (own) failures.push(`${own}: it does not run`);
      continue;
    }
    const compiler: Compiler = { name: command, command: [program, ...args] };
    const failure = await compile(compiler, work);
    if (failure === undefined) return compiler;
    failures.push(`${command}: ${failure}`);
  }
  if (own || failures.length > 0) {
    throw new UserError("TensorFlow's binding could not be compiled", {
      found: failures.join('; '),
      mend: own
        ? 'Let CXX name a compiler for C++17, or unset it, and start again'
        : 'Install g++ 8 or newer (Debian and Ubuntu: `apt-get install g++`; a cluster: `module load gcc`), or let CXX name a compiler for C++17, and start again',
    });
  }
  const zig = await fetchZig(scratch);
  const failure = await compile(zig, work);
  if (failure !== undefined) {
    throw new UserError("TensorFlow's binding could not be compiled", {
      expected: 'a C++ compiler on PATH',
      found: `none, and zig failed (${failure})`,
      mend: 'Install g++ (Debian and Ubuntu: `apt-get install g++`; a cluster: `module load gcc`) and start again',
    });
  }
  return zig;
}

/** What both of our addons are made of, beside a file of their own. */
const squareSources = ['square_task.cc', 'square.cc', 'resample.cc', 'augment.cc', 'affine.cc'];

/** Builds the addon that makes squares of images, which needs nothing that the binding did not need. */
async function buildImageSquare(addon: string, compiler: Compiler): Promise<void> {
  const sources = ['image_square.cc', ...squareSources].map(nativeSource);
  const failure = await compile(compiler, { what: 'the image resizer', addon, sources, includes: [] });
  if (failure !== undefined) throw new Error(`internal: image_square.cc does not compile: ${failure}`);
}

/** Builds our decoder, or leaves it out: a libtensorflow without the JPEG library inside it can't be linked with it. */
async function buildJpegDecoder(addon: string, compiler: Compiler, target: Target): Promise<void> {
  const sources = ['jpeg_decoder.cc', 'jpeg_header.cc', ...squareSources, 'quiet_start.cc'].map(nativeSource);
  const failure = await compile(compiler, { what: 'the JPEG decoder', addon, sources, includes: [], target });
  if (failure !== undefined || !(await decodesSelfTest(addon))) rmSync(addon, { force: true });
}

/** SHA-256 of the square that Pillow makes of self-test.jpg: short side 16, crop 12, bilinear. */
const selfTestHash = '4c6893e66c8458649541490fcf46ac2dd665368ec5c849dc1a4640fd83ded310';

/** Decodes an image in a process of its own, which may die of it. */
async function decodesSelfTest(addon: string): Promise<boolean> {
  const program = `const [, addon, image] = process.argv;
    const pixels = new ArrayBuffer(12 * 12 * 3);
    require(addon).decode(image, false, 16, 12, 0, undefined, pixels, 0).then((decoded) => {
      const hash = require('node:crypto').createHash('sha256').update(new Uint8Array(pixels)).digest('hex');
      process.stdout.write(decoded ? hash : 'refused');
    });`;
  const image = fileURLToPath(new URL('self-test.jpg', nativeFolder));
  const { status, stdout } = await runCommand(process.execPath, ['-e', program, addon, image], quietEnvironment);
  return status === 0 && stdout === selfTestHash;
}

/** Builds our kernels, or leaves them out: where TensorFlow's C interface lacks something, its own ops are used. */
async function buildKernels(addon: string, compiler: Compiler, target: Target): Promise<void> {
  const kinds = ['amx', 'avx512_bf16', 'avx512', 'avx2', 'filter_grad', 'grouped', 'base'].map(
    (kind) => `kernels_${kind}.cc`,
  );
  const sources = ['kernels.cc', 'kernel_threads.cc', ...kinds, 'quiet_start.cc'].map(nativeSource);
  const work = { what: 'kernels', addon, sources, includes: [], target, optimisation: vectors };
  const plain = { ...work, what: 'kernels for an older assembler', optimisation: [...vectors, '-DDEEP_CNN_PLAIN'] };
  const failure = (await compile(compiler, work)) && (await compile(compiler, plain));
  if (failure === undefined && (await registersKernels(addon))) return;
  rmSync(addon, { force: true });
  const cause = failure ?? 'TensorFlow does not take them';
  say(`without these kernels a step on a processor may take twice as long (${cause})`);
}

const registersKernels = (addon: string) => holds(addon, 'Array.isArray(addon.ops)');

/** Builds what limits the memory of GPUs, or leaves it out. */
async function buildGpuMemory(addon: string, compiler: Compiler, target: Target): Promise<void> {
  const sources = ['gpu_memory.cc', 'quiet_start.cc'].map(nativeSource);
  const work = { what: "the limit of GPUs' memory", addon, sources, includes: [], target };
  const failure = await compile(compiler, work);
  const isSound = async () => holds(addon, `addon.openSession(new Uint8Array()) === ''`);
  if (failure !== undefined || !(await isSound())) rmSync(addon, { force: true });
}

/** Whether something is true of an addon, in a process of its own, which may die of it. */
async function holds(addon: string, what: string): Promise<boolean> {
  const program = `const addon = require(process.argv[1]); process.stdout.write(String(${what}));`;
  const { status, stdout } = await runCommand(process.execPath, ['-e', program, addon], quietEnvironment);
  return status === 0 && stdout === 'true';
}

/** The C++ sources lie beside the TypeScript ones, as they are not compiled before they are needed. */
const nativeFolder = new URL('../../src/tensorflow/native/', import.meta.url);

function nativeSource(name: string): string {
  return fileURLToPath(new URL(name, nativeFolder));
}

/** Without fused multiplications, which round differently and which not every processor has. */
const exact = ['-O3', '-ffp-contract=off'];
/** For loops that are written with vectors; what O3 adds takes longer only to compile. */
const vectors = ['-O2', '-ffp-contract=fast'];

interface CompilerWork {
  /** For the progress line. */
  what: string;
  addon: string;
  sources: readonly string[];
  includes: readonly string[];
  /** The TensorFlow that it is linked with, if any. */
  target?: Target;
  /** How it is optimised. */
  optimisation?: readonly string[];
}

/** Compiles an addon; returns the compiler's complaint, or undefined when it worked. */
async function compile(
  { name, command, env }: Compiler,
  { what, addon, sources, includes, target, optimisation = exact }: CompilerWork,
): Promise<string | undefined> {
  const nodeApi = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));
  const [program, ...args] = command;
  const flags = ['-std=c++17', ...optimisation, '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8'];
  const searched = [...includes, join(nodeApi, 'include')].map((path) => `-I${path}`);
  const linked = target === undefined ? [] : linkFlags(target);
  const result = await showStep(`compiling ${what} with ${name}`, () =>
    runCommand(program, [...args, ...flags, ...searched, ...sources, ...linked, '-o', addon], env),
  );
  if (result.status === 0) return undefined;
  const lines = result.stderr.split('\n').map((line) => line.trim());
  return lines.find((line) => /\berror\b|undefined reference|cannot find/i.test(line)) ?? lines[0] ?? 'no message';
}

function linkFlags({ library: { library, framework, includeFolder }, rpath }: Target): string[] {
  // DT_RPATH and not RUNPATH, so that another libtensorflow on LD_LIBRARY_PATH does not come first.
  return [`-I${includeFolder}`, library, framework, `-Wl,-rpath,${rpath}`, '-Wl,--disable-new-dtags'];
}

/** Zig's C++ compiler out of its wheel on PyPI, for machines without one of their own. */
async function fetchZig(scratch: string): Promise<Compiler> {
  checkSpace(zigBytes, 'a C++ compiler (there is none on PATH)', ', or install g++');
  const python = await findPython();
  const folder = join(scratch, 'wheel');
  mkdirSync(folder);
  await showStep('downloading a C++ compiler (zig), as none is installed', async () => {
    const wheel = await downloadWheel(python, zigRequirement, { folder, scratch });
    await extractWheel(python, wheel, scratch, /^ziglang\//);
  });
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return {
    name: 'zig (about a minute)',
    command: [join(scratch, 'ziglang/zig'), 'c++', '-target', `${machine}-linux-gnu.2.17`],
    env: { ZIG_GLOBAL_CACHE_DIR: join(scratch, 'cache'), ZIG_LOCAL_CACHE_DIR: join(scratch, 'cache') },
  };
}

/** Loads an addon in a process of its own and returns its TensorFlow's version. */
async function readVersion(addon: string, library: string): Promise<string> {
  const program = 'process.stdout.write(require(process.argv[1]).TF_Version)';
  const { status, signal, stdout, stderr } = await runCommand(
    process.execPath,
    ['-e', program, addon],
    quietEnvironment,
  );
  if (status === 0 && stdout !== '') return stdout;
  const cause = /Error: (.*)/.exec(stderr)?.[1] ?? (stderr.trim().split('\n').at(-1) || `signal ${signal}`);
  throw new UserError(`TensorFlow (${library}) does not load on this machine`, {
    found: signal === 'SIGILL' ? 'a processor without the AVX instructions that it needs' : cause,
    mend: 'Run `npx deep-cnn doctor`; or let DEEP_CNN_LIBTENSORFLOW name a folder with a libtensorflow that was built for this machine',
  });
}
