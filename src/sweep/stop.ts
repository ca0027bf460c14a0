// Signals that ask a sweep to stop. They are handed on to the run that is going on, which saves; the sweep waits for it.

import { stopSignals } from '../stop-signals.js';

/**
 * Whether a process ended by a signal that asks to stop, as one does that has nothing to save yet. Where a scheduler sends
 * it to all processes of a job, the sweep may hear of that end before it hears the signal itself.
 */
export function isStopSignal(signal: NodeJS.Signals | null): boolean {
  return stopSignals.some((stopSignal) => stopSignal === signal);
}

export class SweepStop {
  #asked: NodeJS.Signals | undefined;
  #handOn: ((signal: NodeJS.Signals) => void) | undefined;
  readonly #listeners = stopSignals.map((signal) => ({
    signal,
    listener: () => {
      if (signal !== 'SIGHUP' || !this.#ignoresHangUp) this.ask(signal);
    },
  }));
  #ignoresHangUp = false;

  /** From now on these signals end nothing by themselves. SIGHUP says nothing under nohup. */
  catchSignals({ ignoresHangUp }: { ignoresHangUp: boolean }): void {
    this.#ignoresHangUp = ignoresHangUp;
    for (const { signal, listener } of this.#listeners) process.on(signal, listener);
  }

  release(): void {
    for (const { signal, listener } of this.#listeners) process.removeListener(signal, listener);
  }

  ask(signal: NodeJS.Signals): void {
    this.#asked ??= signal;
    this.#handOn?.(signal);
  }

  /** The first signal that came. */
  get asked(): NodeJS.Signals | undefined {
    return this.#asked;
  }

  /** Whose the signals are while `work` lasts, the one that came before it included. */
  async handingOn<T>(receiver: (signal: NodeJS.Signals) => void, work: Promise<T>): Promise<T> {
    this.#handOn = receiver;
    if (this.#asked) receiver(this.#asked);
    try {
      return await work;
    } finally {
      this.#handOn = undefined;
    }
  }
}
