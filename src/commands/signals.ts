// Signals that ask a run to stop. A training step blocks Node's thread for seconds, so that a handler runs only between
// steps: what a signal must do in the middle of a step has to be left to the kernel's default.

import { constants } from 'node:os';
import { basename } from 'node:path';
import { readableText } from '../readable-text.js';
import { stopSignals } from '../stop-signals.js';

/** SIGPIPE is never sent to Node: here it says that whoever read the output has gone. */
export type StopSignal = (typeof stopSignals)[number] | 'SIGPIPE';

export interface CaughtSignals {
  /** The first signal since `hold`. */
  first(): StopSignal | undefined;
  /** From now on a signal is noted, for the run to stop by itself; until then it ends the program. */
  hold(): void;
  /** Gives every signal its default meaning back. */
  release(): void;
}

export interface CatchOptions {
  /** The exit code for a signal before `hold`; undefined, the default, ends the program by that signal. */
  exitCodeInSetUp?: (signal: StopSignal) => number | undefined;
  env?: NodeJS.ProcessEnv;
  /** So long after the first SIGINT another one can be an echo of the same key press. */
  echoMs?: number;
}

const usualEchoMs = 300;

/** Told when a pipe was closed. */
let closePipe: (() => void) | undefined;
/** Stays when signals are released: the last lines' failure arrives later, and must not change the exit code. */
let outputMayFail = false;

/**
 * Catches the signals that ask a program to stop; call it early, since SIGUSR1 starts Node's debugger otherwise.
 *
 * Before `hold` the first signal ends the program after its exit handlers. After it, the first is noted; whatever comes
 * later is ignored, since schedulers repeat theirs while a run saves. Only a second SIGINT ends the program at once: by
 * the kernel, even in the middle of a step. SIGHUP is ignored under nohup. Listeners that others add are taken away
 * again: they would call process.exit before the run has saved.
 */
export function catchSignals({
  exitCodeInSetUp,
  env = process.env,
  echoMs = usualEchoMs,
}: CatchOptions = {}): CaughtSignals {
  const ignoresHangUp = isNohup(env);
  const signalsPerPress = repeatsSignals(readableText(`/proc/${process.ppid}/comm`)) ? 2 : 1;
  let isHolding = false;
  let first: StopSignal | undefined;
  let interrupts = 0;
  let echoTimer: NodeJS.Timeout | undefined;
  let isReleased = false;
  const own = new Map(stopSignals.map((kind) => [kind, () => handle(kind)]));

  for (const kind of stopSignals) takeOver(kind);
  process.on('newListener', onNewListener);
  closePipe = () => handle('SIGPIPE');
  return { first: () => first, hold, release };

  function takeOver(kind: (typeof stopSignals)[number]): void {
    const listener = own.get(kind);
    if (!listener) throw new Error(`internal: no listener for ${kind}`);
    for (const other of process.listeners(kind)) if (other !== listener) process.removeListener(kind, other);
    if (process.listenerCount(kind) === 0) process.on(kind, listener);
  }

  function onNewListener(name: string | symbol): void {
    const kind = stopSignals.find((kind) => kind === name);
    if (!kind) return;
    process.nextTick(() => {
      if (isReleased) return;
      if (own.has(kind)) takeOver(kind);
      else process.removeAllListeners(kind);
    });
  }

  function handle(signal: StopSignal): void {
    if (signal === 'SIGHUP' && ignoresHangUp) return;
    if (!isHolding) leave(signal);
    first ??= signal;
    if (signal !== 'SIGINT') return;
    interrupts += 1;
    if (interrupts > signalsPerPress) leave(signal, { now: true });
    if (interrupts > 1) return;
    // Not in this turn, in which a second one may already wait to be handled.
    if (signalsPerPress === 1) setImmediate(defaultInterrupt);
    else echoTimer = setTimeout(defaultInterrupt, echoMs).unref();
  }

  /** The kernel ends the program at the next SIGINT, whatever its thread is doing. */
  function defaultInterrupt(): void {
    if (isReleased) return;
    own.delete('SIGINT');
    process.removeAllListeners('SIGINT');
  }

  function hold(): void {
    isHolding = true;
    outputMayFail = true;
  }

  function release(): void {
    isReleased = true;
    clearTimeout(echoTimer);
    closePipe = undefined;
    process.removeListener('newListener', onNewListener);
    for (const [kind, listener] of own) process.removeListener(kind, listener);
  }

  function leave(signal: StopSignal, { now = false } = {}): never {
    const code = now ? undefined : exitCodeInSetUp?.(signal);
    release();
    if (code !== undefined) process.exit(code);
    endBy(signal);
  }
}

/**
 * Tells that nothing can be written to the screen any more, or to the file in its place. A closed pipe counts as a signal:
 * `| tee log` ends at the same Ctrl-C as we do. A lost terminal or a full disk does not stop a run.
 *
 * @returns whether a run takes care of itself; if not, the program should end.
 */
export function noteLostOutput({ code }: NodeJS.ErrnoException): boolean {
  if (code === 'EPIPE') closePipe?.();
  return outputMayFail;
}

/** Ends the program as the signal would have, after its exit handlers. */
function endBy(signal: StopSignal): never {
  process.once('exit', () => {
    // Node ignores SIGPIPE: there the exit code remains.
    if (signal !== 'SIGPIPE') process.kill(process.pid, signal);
  });
  process.exit(128 + constants.signals[signal]);
}

/**
 * Whether SIGHUP is to be ignored, as under nohup. Node makes it deadly again when it starts, so that our own mask tells
 * nothing. What does: a parent that ignores it (`nohup bash script`), the `_` of bash and zsh, and the write-only
 * standard input with which nohup replaces a terminal.
 */
export function isNohup(env: NodeJS.ProcessEnv): boolean {
  if (basename(env['_'] ?? '') === 'nohup') return true;
  const ignoredByParent = /^SigIgn:\s*([\da-f]+)/m.exec(readableText(`/proc/${process.ppid}/status`))?.[1] ?? '0';
  const inputFlags = /^flags:\s*([0-7]+)/m.exec(readableText('/proc/self/fdinfo/0'))?.[1] ?? '0';
  const hangUpBit = 1n << BigInt(constants.signals.SIGHUP - 1);
  const isWriteOnly = (Number.parseInt(inputFlags, 8) & 0o3) === 1;
  return isWriteOnly || (BigInt(`0x${ignoredByParent}`) & hangUpBit) !== 0n;
}

/**
 * Whether a parent of this name sends us each SIGINT once more: npm does, when the shell it uses runs the last command in
 * its own place, as bash does.
 */
const repeatsSignals = (name: string) => /^(npm|npx|pnpm|yarn)\b/.test(name);
