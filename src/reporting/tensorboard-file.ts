// The event files of one TensorBoard run. Each process writes a file of its own; TensorBoard reads all files of the
// folder in the order of their names, as if they were one.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readableNames } from '../readable-names.js';
import { createAppendFile } from './append-file.js';
import { eventRecord, headerRecord, readEvents } from './tensorboard-record.js';

export interface EventFile {
  scalars(step: number, values: Readonly<Record<string, number>>): void;
  /** Has TensorBoard drop what earlier files say of `step` and later ones. */
  restartAt(step: number): void;
  /** Puts all so far on disk. */
  flush(): void;
  close(): void;
}

/** A new event file in `folder`, which may not be there yet. It is created with its first record. */
export function createEventFile({
  folder,
  onFailure,
  now,
}: {
  folder: string;
  onFailure: (error: unknown) => void;
  now: () => Date;
}): EventFile {
  const seconds = () => now().getTime() / 1000;
  const file = createAppendFile({ path: join(folder, nextName(folder, Math.floor(seconds()))), onFailure });
  let pending: Buffer[] = [headerRecord(seconds())];
  const write = (record: Buffer, flush = false) => {
    file.append(Buffer.concat([...pending, record]), { flush });
    pending = [];
  };
  return {
    scalars: (step, scalars) => write(eventRecord({ wallTime: seconds(), step, scalars })),
    restartAt: (step) => write(eventRecord({ wallTime: seconds(), step, isRestart: true })),
    flush: () => write(Buffer.alloc(0), true),
    close: () => file.close(),
  };
}

/** The steps that have a value of `tag` in the folder's files, restarts accounted for, as TensorBoard will show them. */
export function stepsOf(folder: string, tag: string): ReadonlySet<number> {
  const steps = new Set<number>();
  for (const name of eventFiles(folder)) {
    for (const { step, scalars, isRestart } of readEvents(readFileSync(join(folder, name)))) {
      if (isRestart) for (const earlier of steps) if (earlier >= step) steps.delete(earlier);
      if (scalars && tag in scalars) steps.add(step);
    }
  }
  return steps;
}

const namePattern = /^events\.out\.tfevents\.(\d+)\./;

function eventFiles(folder: string): string[] {
  return readableNames(folder).filter((name) => namePattern.test(name));
}

/** Sorts behind all files that are there, even when two processes start within a second or a clock is set back. */
function nextName(folder: string, nowSeconds: number): string {
  const earlier = eventFiles(folder).map((name) => Number(namePattern.exec(name)?.[1]));
  const time = Math.max(nowSeconds, ...earlier.map((seconds) => seconds + 1));
  return `events.out.tfevents.${String(time).padStart(10, '0')}.${hostname()}.${process.pid}.0`;
}
