// The main thread's side of the uploading thread. A training step blocks this thread for seconds, so it only hands over
// what there is to send and hears, between steps, what became of it.
import { Worker } from 'node:worker_threads';
import type { JournalState, WandbNumber, WandbRow } from './wandb-journal.js';
import type { UploadReply, UploadRequest, UploadTask } from './wandb-messages.js';
import type { WandbPatience } from './wandb-server.js';

export interface UploaderSettings {
  key: string;
  /** Where the run is to be, when its journal names no project. */
  project: string;
  /** The journal as it is now; it has a run. */
  state: () => JournalState;
  patience: WandbPatience;
  /** Variables of the environment that the network needs, such as those of proxies. */
  env: NodeJS.ProcessEnv;
  onConnected: (address: string) => void;
  /** The server has so many rows. */
  onSent: (rows: number) => void;
  /** Something failed, the `count`th time in a row, and is tried again. */
  onTrouble: (message: string, count: number) => void;
  /** Nothing more will be sent. */
  onGaveUp: (message: string, how: { isOutage: boolean }) => void;
}

export interface Uploader {
  addRow(row: WandbRow): void;
  addSummary(values: Readonly<Record<string, WandbNumber>>): void;
  /**
   * Sends what is left, the end of the run included where there is an exit code, and ends the thread. Resolves with
   * whether the server has confirmed it all within `limitMs`.
   */
  finish(end: { exitCode: number | undefined; isPreempted: boolean; limitMs: number }): Promise<boolean>;
}

/** Starts sending at once. The thread does not keep the process alive. */
export function createUploader(settings: UploaderSettings): Uploader {
  const { patience } = settings;
  let worker: Worker | undefined;
  let restart: NodeJS.Timeout | undefined;
  let failures = 0;
  let ending: (UploadRequest & { kind: 'finish' }) | undefined;
  let settle: (isFinished: boolean) => void = () => {};
  let isOver = false;

  const start = () => {
    const thread = startThread(settings);
    worker = thread;
    // After the first report of a thread's end, the others say the same.
    const end = (then: () => void) => {
      if (worker !== thread) return;
      worker = undefined;
      void thread.terminate();
      then();
    };
    thread.on('message', (reply: UploadReply) => {
      if (worker !== thread) return;
      if (reply.kind === 'gave-up') end(() => giveUp(reply.message, reply));
      else hear(reply);
    });
    // An error overtakes what the thread has said before it, which tells more.
    thread.on('error', (error) => setImmediate(() => end(() => retry(error.message))));
    thread.on('exit', () => end(() => retry('the uploading thread has ended')));
    // After the listeners, which undo it.
    thread.unref();
    if (ending) thread.postMessage(ending);
  };

  const hear = (reply: Exclude<UploadReply, { kind: 'gave-up' }>) => {
    if (reply.kind === 'connected') settings.onConnected(reply.address);
    if (reply.kind === 'trouble') settings.onTrouble(reply.message, reply.count);
    if (reply.kind === 'sent') settings.onSent(reply.rows);
    if (reply.kind === 'sent') failures = 0;
    if (reply.kind === 'finished') settle(true);
  };

  const giveUp = (message: string, how: { isOutage: boolean }) => {
    isOver = true;
    settings.onGaveUp(message, how);
    settle(false);
  };

  /** A thread that has broken is replaced by a new one, after a while; it begins with what the journal says. */
  const retry = (message: string) => {
    failures += 1;
    if (failures >= Math.min(patience.attempts, maxThreads)) {
      giveUp(message, { isOutage: true });
      return;
    }
    settings.onTrouble(message, failures);
    const waitMs = Math.min(patience.backoffMs * 2 ** failures, patience.longestWaitMs);
    restart = setTimeout(start, waitMs);
    restart.unref();
  };

  start();
  return {
    addRow: (row) => worker?.postMessage({ kind: 'row', row } satisfies UploadRequest),
    addSummary: (values) => worker?.postMessage({ kind: 'summary', values } satisfies UploadRequest),
    finish: async ({ exitCode, isPreempted, limitMs }) => {
      if (isOver) return false;
      ending = { kind: 'finish', exitCode, isPreempted };
      worker?.postMessage(ending);
      let timer: NodeJS.Timeout | undefined;
      const isFinished = await new Promise<boolean>((resolve) => {
        settle = resolve;
        // Not unref'ed: this is what the process waits for.
        timer = setTimeout(() => resolve(false), Math.min(limitMs, longestTimerMs));
      });
      isOver = true;
      clearTimeout(timer);
      clearTimeout(restart);
      const last = worker;
      worker = undefined;
      await last?.terminate();
      return isFinished;
    },
  };
}

/** A thread that breaks time after time is not started for ever. */
const maxThreads = 30;
const longestTimerMs = 2 ** 31 - 1;

function startThread({ key, project, state, patience, env }: UploaderSettings): Worker {
  const { run, rows, sentRows, summary } = state();
  if (run === undefined) throw new Error('internal: a journal without a run');
  const task: UploadTask = { key, run, project: run.project ?? project, patience, rows, sentRows, summary };
  const worker = new Worker(new URL('./wandb-worker.js', import.meta.url), {
    workerData: task,
    execArgv: [],
    // Nor should the SDK find settings of its own.
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !/^(WANDB|WB)_/.test(name))),
    // What the SDK prints is for nobody. Reading it would keep the process alive.
    stdout: true,
    stderr: true,
  });
  return worker;
}
