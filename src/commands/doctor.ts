// `deep-cnn doctor`: prints what training finds on this machine, and what is missing with its remedy.

import { exitCode } from '../errors.js';
import type { Command } from '../options/command.js';
import type { Facts } from '../tensorflow/doctor.js';
import { formatBytes } from '../wording.js';

type Row = [name: string, value: string];

export const doctorCommand: Command<Record<never, never>> = {
  name: 'doctor',
  summary: 'Show versions, the device, GPU libraries found and missing, threads, and where everything lies',
  options: {},
  run: runDoctor,
};

/** Prints the report. Returns the exit code: `ok` when training can run as it should. */
async function runDoctor(): Promise<number> {
  const { gatherFacts } = await import('../tensorflow/doctor.js');
  const facts = await gatherFacts();
  const problems = findProblems(facts);
  process.stdout.write(formatReport(facts, problems));
  return problems.length === 0 ? exitCode.ok : exitCode.userError;
}

/** The whole report as text. */
export function formatReport(facts: Facts, problems: readonly string[]): string {
  const sections: [title: string, rows: Row[]][] = [
    ['Versions', versionRows(facts)],
    ['Device', deviceRows(facts)],
    ['CUDA libraries', libraryRows(facts)],
    ['Processor', processorRows(facts)],
    ['Threads', threadRows(facts)],
    ['Files', placeRows(facts)],
  ];
  const width = Math.max(...sections.flatMap(([, rows]) => rows.map(([name]) => name.length)));
  const parts = sections.map(([title, rows]) =>
    [title, ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)].join('\n'),
  );
  const verdict = problems.length === 0 ? 'Everything is ready.' : problems.map((text) => `! ${text}`).join('\n');
  return `${[...parts, verdict].join('\n\n')}\n`;
}

/** What keeps training from running, or from running on the GPU, each with its remedy. */
export function findProblems({ versions, device }: Facts): string[] {
  const problems: string[] = [];
  if (device.installation === undefined) {
    problems.push(
      device.site === undefined
        ? 'TensorFlow is not installed: `npx deep-cnn setup` installs it.'
        : `The TensorFlow in ${device.site} (DEEP_CNN_LIBTENSORFLOW) is not ready: \`npx deep-cnn setup\` says why, or makes it so.`,
    );
    if (versions.python === undefined) problems.push('Python 3 is missing, and set-up needs it.');
    else if (versions.pip === undefined) problems.push('pip is missing, and set-up needs it.');
  } else if (device.inUse === undefined) {
    problems.push(`TensorFlow does not load: ${device.failure ?? 'no reason given'}`);
  }
  const missing = device.libraries.filter(({ path, isNeeded }) => isNeeded && path === undefined);
  if (device.hasGpu && device.inUse === 'cpu') {
    const names = missing.map(({ name }) => name).join(', ');
    if (device.installation?.variant === 'cpu') {
      problems.push('There is a GPU, but TensorFlow for the CPU is in use: `npx deep-cnn setup --cuda` changes that.');
    } else if (names !== '') {
      problems.push(`TensorFlow can't use the GPU without ${names}.`);
    } else {
      problems.push(
        "TensorFlow can't use the GPU though its libraries are there: the driver may be too old for CUDA 12.",
      );
    }
  }
  return problems;
}

function versionRows({ versions, device }: Facts): Row[] {
  const { installation, chosen } = device;
  const told = chosen === undefined ? '' : ', as chosen with `deep-cnn setup`';
  return [
    ['deep-cnn', versions.deepCnn],
    ['Node', versions.node],
    ['npm', versions.npm ?? 'missing'],
    ['Python', versions.python ?? 'missing'],
    ['pip', versions.pip ?? 'missing'],
    ['C++ compiler', versions.compiler ?? 'none (zig is fetched when one is needed)'],
    ['TensorFlow', installation ? `${installation.version} (${installation.variant}${told})` : 'not installed'],
    ['tfjs-node-gpu', versions.tfjs ?? 'missing'],
  ];
}

function deviceRows({ device }: Facts): Row[] {
  const gpus: Row[] = device.gpus.map((gpu, index) => [`GPU ${index}`, gpu]);
  return [
    ['in use', device.inUse ?? 'none'],
    ...(gpus.length > 0 ? gpus : [['NVIDIA GPU', device.hasGpu ? 'found' : 'none found'] satisfies Row]),
    ['driver', device.driver ?? 'none found'],
  ];
}

function libraryRows({ device }: Facts): Row[] {
  if (device.libraries.length === 0) return [['none needed', 'no NVIDIA GPU, and TensorFlow is for the CPU']];
  return device.libraries.map(({ name, purpose, isNeeded, path }) => [
    name,
    path ?? `missing (${purpose}${isNeeded ? '' : '; not needed to train'})`,
  ]);
}

function processorRows({ processor }: Facts): Row[] {
  const having = (wanted: boolean) =>
    Object.keys(processor.features)
      .filter((name) => processor.features[name] === wanted)
      .join(', ') || 'none';
  return [
    ['model', processor.model],
    ['memory', formatBytes(processor.memoryBytes)],
    ['it has', having(true)],
    ['it lacks', having(false)],
  ];
}

function threadRows({ threads }: Facts): Row[] {
  const variables = Object.entries(threads.variables).map(([name, value]): Row => [name, value ?? 'not set']);
  const quota: Row[] = threads.quotaCores === undefined ? [] : [['container quota', `${threads.quotaCores} cores`]];
  return [['cores', String(threads.cores)], ...quota, ...variables];
}

function placeRows({ places }: Facts): Row[] {
  const sizes = places.map(({ bytes }) => (bytes === undefined ? 'nothing' : formatBytes(bytes)));
  const width = Math.max(...sizes.map((size) => size.length));
  return places.map(({ name, path }, index) => [name, `${(sizes[index] ?? '').padStart(width)}  ${path}`]);
}
