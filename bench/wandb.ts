// node build/bench/wandb.js [slow|quick] [seconds]: what a training step costs more while its run logs to Weights & Biases, by
// a server on this machine, in a process of its own, that takes 5 s for each answer, or none. In one process, with the SDK
// connected all the time, epochs that are told to W&B take turns with epochs that are not; each is long enough for its
// upload to end within it. Processor time is that of the whole process, whose threads share it with nobody: other work on
// the machine, which changes the wall clock's, hardly touches it. One line of JSON.

import { fork } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { preprocessings } from '#src/data/preprocessing.js';
import { findModel } from '#src/models/registry.js';
import { createWandb } from '#src/reporting/wandb.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { epoch } from '../tests/reporting/wandb-run.js';
import { apiKey, startWandbServer } from '../tests/reporting/wandb-server.js';
import { median } from './median.js';

const [, , speed = 'quick', seconds = '120'] = process.argv;
const slowAnswerMs = 5_000;
const batchSize = 16;
/** Longer than an answer and the pace of uploads. */
const epochSeconds = speed === 'slow' ? 8 : 3;
const preprocessing = preprocessings.resnet;
// Threads that wait for each other take processor time as they wait, the more the busier the machine is.
process.env['TF_NUM_INTRAOP_THREADS'] ??= '1';

interface Epoch {
  stepMs: number;
  /** Of the whole process, for one step. */
  processorMs: number;
}

if (speed === 'serve') await serve(Number(seconds));
else {
  const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-bench-'));
  try {
    console.log(JSON.stringify(await measure(folder)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The server, until the process that has started it ends. */
async function serve(delayMs: number): Promise<void> {
  const server = await startWandbServer({ after: () => undefined });
  server.behave = () => (delayMs > 0 ? { delayMs } : undefined);
  process.send?.(server.baseUrl);
  process.on('disconnect', () => process.exit());
}

async function measure(folder: string) {
  const train = await prepareTraining();
  // Threads that are here from now on are those of W&B.
  const others = new Set(await readdir('/proc/self/task'));
  const server = fork(fileURLToPath(import.meta.url), ['serve', String(speed === 'slow' ? slowAnswerMs : 0)]);
  const baseUrl = await new Promise<string>((resolve) => server.once('message', (text) => resolve(String(text))));
  let isConnected = false;
  const reporter = createWandb({
    config: { root_dir: folder, run_name: 'bench' },
    env: { WB_KEY: apiKey, WB_PROJECT: 'bench', WB_USER: 'me', WANDB_BASE_URL: baseUrl, HOME: folder },
    onWarning: (message) => console.error(message),
    onAddress: () => {
      isConnected = true;
    },
  });
  const tellingMs: number[] = [];
  const tell = () => {
    const beforeMs = performance.now();
    for (const event of epoch(tellingMs.length + 1)) reporter.handle(event);
    tellingMs.push(performance.now() - beforeMs);
  };
  tell();
  while (!isConnected) await train(0.5);
  await train(epochSeconds);

  const before = await wandbThreads(others);
  const started = process.cpuUsage();
  const pairs: { with: Epoch; without: Epoch }[] = [];
  while (performance.now() + 2 * epochSeconds * 1000 < Number(seconds) * 1000) {
    // The first of the two changes, so that a machine that becomes faster or slower favours neither.
    const isToldFirst = pairs.length % 2 === 0;
    const first = await train(epochSeconds, isToldFirst ? tell : undefined);
    const second = await train(epochSeconds, isToldFirst ? undefined : tell);
    pairs.push(isToldFirst ? { with: first, without: second } : { with: second, without: first });
  }
  const processMs = totalMs(process.cpuUsage(started));
  const threads = await wandbThreads(others);
  await reporter.close();
  server.disconnect();
  return {
    ...{ server: speed, pairs: pairs.length, step_ms: median(pairs.map((pair) => pair.without.stepMs)) },
    step_ratio: interval(pairs.map((pair) => pair.with.stepMs / pair.without.stepMs)),
    processor_ratio: interval(pairs.map((pair) => pair.with.processorMs / pair.without.processorMs)),
    /** For so long training stands still at an epoch's end, until its results are on the disk and with the other thread. */
    telling_ms: median(tellingMs),
    /** Of all processor time, what W&B's own thread has taken: also what it takes while nothing is told. */
    thread_share: (threads - before) / processMs,
    thread_ms_an_epoch: (threads - before) / pairs.length,
    /** Its processor time until it was connected, once in a run. */
    connecting_ms: before,
  };
}

/** Trains for so long, after having told what there is to tell. */
async function prepareTraining(): Promise<(seconds: number, tell?: () => void) => Promise<Epoch>> {
  const model = findModel('squeezenet1_1');
  if (!model) throw new Error('internal: no squeezenet1_1');
  const recipe = { model, classes: 365, input: preprocessing, optimizer: { kind: 'adam' }, images: batchSize } as const;
  const steps = await compileSteps(await openRuntime('cpu'), recipe);
  steps.drawWeights(42);
  const pixels = new Uint8Array(batchSize * preprocessing.crop ** 2 * 3).map(
    (_, at) => Math.imul(at, 0x9e3779b1) >>> 24,
  );
  const batch = { pixels, labels: new Int32Array(batchSize) };
  const train = async (seconds: number, tell: () => void = () => undefined): Promise<Epoch> => {
    const stepMs: number[] = [];
    const started = process.cpuUsage();
    const endMs = performance.now() + seconds * 1000;
    tell();
    while (performance.now() < endMs) {
      const beforeMs = performance.now();
      steps.train(batch, 1e-4);
      await nextTurn();
      stepMs.push(performance.now() - beforeMs);
    }
    return { stepMs: median(stepMs), processorMs: totalMs(process.cpuUsage(started)) / stepMs.length };
  };
  await train(3);
  return train;
}

/** Processor time of all threads but these, in milliseconds. */
async function wandbThreads(others: ReadonlySet<string>): Promise<number> {
  const own = (await readdir('/proc/self/task')).filter((thread) => !others.has(thread));
  const texts = await Promise.all(own.map((thread) => readFile(`/proc/self/task/${thread}/schedstat`, 'utf8')));
  return texts.reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1e6, 0);
}

function totalMs({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}

/** The mean of ratios, and the interval in which it lies with 95 %, by their standard error. */
function interval(ratios: readonly number[]) {
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  const variance = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / (ratios.length - 1);
  const error = 1.96 * Math.sqrt(variance / ratios.length);
  return { mean, low: mean - error, high: mean + error };
}
