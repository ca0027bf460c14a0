// Writes what a run was while it goes on.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeTextAtomically } from '../atomic-file.js';
import type { ProgramFacts } from '../program.js';
import { redact } from '../secrets.js';
import { EpochClock } from './epoch-timings.js';
import type { Reporter, TrainingEvent } from './events.js';
import { once } from './once.js';
import { descriptionFile, parseDescription, type RunDescription } from './run-description.js';
import type { RunFiles } from './run-files.js';
import { readTextIfThere } from './text-file.js';

export interface RunDescriptionSettings {
  files: RunFiles;
  program: ProgramFacts;
  now: () => Date;
  /** Hears, once, that the file could not be written; it is tried again with each epoch and at the end. */
  onFailure: (error: unknown) => void;
}

/** Writes the description when the data is known, after each epoch, and at the end; whole each time. */
export function createRunDescription({ files, program, now, onFailure }: RunDescriptionSettings): Reporter {
  const path = descriptionFile(files);
  const failOnce = once(onFailure);
  const time = () => now().toISOString();
  let described: RunDescription = {
    state: 'running',
    started: time(),
    resumed: [],
    written: time(),
    program,
    device: { kind: 'cpu' },
    options: {},
    data: { classes: [], train: 0, validation: 0, test: 0, sha256: '' },
    epochs: [],
    files,
  };
  const clock = new EpochClock();
  let isBehind = false;
  const write = () => {
    isBehind = true;
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeTextAtomically(path, `${JSON.stringify({ ...described, written: time() }, undefined, 2)}\n`);
      isBehind = false;
    } catch (error) {
      failOnce(error);
    }
  };
  return {
    handle: (event) => {
      if (event.kind === 'resumed') {
        const before = readIfSound(path);
        if (before) described = goneOnWith(before, described, { now: time(), epochs: event.history.length });
      }
      clock.note(event);
      described = { ...described, ...change(event, described, clock) };
      if (writtenAfter.has(event.kind)) write();
    },
    close: () => {
      if (isBehind) write();
    },
  };
}

const writtenAfter: ReadonlySet<TrainingEvent['kind']> = new Set([
  'dataset',
  'epoch-end',
  'stopped',
  'failed',
  'finished',
]);

/** What stays of the run's earlier description, of which so many epochs count. */
function goneOnWith(
  before: RunDescription,
  described: RunDescription,
  { now, epochs }: { now: string; epochs: number },
): RunDescription {
  const timings = before.timings?.filter(({ epoch }) => epoch <= epochs);
  return { ...described, started: before.started, resumed: [...before.resumed, now], ...(timings && { timings }) };
}

/** What an event makes known of the run. */
function change(event: TrainingEvent, described: RunDescription, clock: EpochClock): Partial<RunDescription> {
  switch (event.kind) {
    case 'run':
      return { options: event.parameters };
    case 'device': {
      const { device, precision, threads, tensorflow } = event;
      return {
        device: { kind: device, ...(precision && { precision }), ...(threads && { threads }) },
        program: { ...described.program, ...(tensorflow && { tensorflow }) },
      };
    }
    case 'resumed':
      return { epochs: event.history };
    case 'dataset': {
      const { kind: _, ...data } = event;
      return { data };
    }
    case 'weights':
      return { weights: event.source ?? null };
    case 'epoch-end': {
      const timing = clock.timingOf(event.result.epoch);
      const timings = timing && [...(described.timings ?? []), timing];
      return { epochs: [...described.epochs, event.result], ...(timings && { timings }) };
    }
    case 'stopped':
      return { state: 'stopped', reason: event.reason };
    case 'failed':
      return { state: 'failed', reason: redact(event.message) };
    case 'finished':
      return { state: 'finished', ...(event.test && { test: event.test }) };
    default:
      return {};
  }
}

function readIfSound(path: string): RunDescription | undefined {
  try {
    const text = readTextIfThere(path);
    return text === '' ? undefined : parseDescription(text);
  } catch {
    return undefined;
  }
}
