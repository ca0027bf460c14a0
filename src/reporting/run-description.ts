// What a run was, beside its table of results: options, versions, data and outcome, for people, for other programs, and
// for repeating it.

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeTextAtomically } from '../atomic-file.js';
import { messageOf, UserError } from '../errors.js';
import type { ProgramFacts } from '../program.js';
import { redact } from '../secrets.js';
import { EpochClock, type EpochTiming } from './epoch-timings.js';
import type { EpochResult, Metrics, Reporter, TrainingEvent } from './events.js';
import { once } from './once.js';
import type { RunFiles } from './run-files.js';
import { readTextIfThere } from './text-file.js';

/** The content of `outputs/results/<run_name><time>.json`. Times are ISO 8601 in UTC. */
export interface RunDescription {
  state: 'running' | 'finished' | 'stopped' | 'failed';
  /** Why it stopped or failed. */
  reason?: string;
  started: string;
  /** When the run was gone on with. */
  resumed: readonly string[];
  /** When this was written. */
  written: string;
  program: ProgramFacts & { tensorflow?: string };
  /** Where it ran last. */
  device: { kind: 'cpu' | 'cuda'; precision?: string; threads?: number };
  /** Every option of the run, whether given or not. */
  options: Readonly<Record<string, unknown>>;
  data: {
    classes: readonly string[];
    train: number;
    validation: number;
    test: number;
    /** Of the images' names and labels, in the order of the split. */
    sha256: string;
  };
  /** What it started from; null for random weights. */
  weights?: string | null;
  epochs: readonly EpochResult[];
  /** Where the time of these epochs went; of some or all of them. */
  timings?: readonly EpochTiming[];
  test?: Metrics;
  /** The run's other files. */
  files: RunFiles;
}

export interface RunDescriptionSettings {
  files: RunFiles;
  program: ProgramFacts;
  now: () => Date;
  /** Hears, once, that the file could not be written; it is tried again with each epoch and at the end. */
  onFailure: (error: unknown) => void;
}

/** The description that belongs to a run's table of results. */
export function descriptionFile({ results }: Pick<RunFiles, 'results'>): string {
  return results.replace(/\.csv$/, '.json');
}

/** The page that belongs to a run's table of results. */
export function reportFile({ results }: Pick<RunFiles, 'results'>): string {
  return results.replace(/\.csv$/, '.html');
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

/** Throws where the text is no description. */
function parseDescription(text: string): RunDescription {
  const value: unknown = JSON.parse(text);
  const has = (name: string, type: string) =>
    typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[name] === type;
  if (!has('started', 'string') || !has('options', 'object') || !has('data', 'object') || !has('epochs', 'object')) {
    throw new Error('not the description of a run');
  }
  return value as RunDescription;
}

/**
 * The description in a file.
 * @throws UserError where there is none.
 */
export function readRunDescription(path: string): RunDescription {
  try {
    return parseDescription(readFileSync(path, 'utf8'));
  } catch (error) {
    const parts = { expected: 'the JSON description that a run leaves in outputs/results', found: messageOf(error) };
    throw new UserError(`Cannot read the run ${path}`, parts, { cause: error });
  }
}

/**
 * The latest description of the run of a name.
 * @throws UserError when there is none, or the latest can't be read.
 */
export function findRunDescription(place: { root_dir: string; run_name: string }): RunDescription & { path: string } {
  const folder = resultsFolder(place.root_dir);
  const found = describedRuns(folder);
  const latest = latestOf(found, place.run_name);
  if (latest) return latest;
  const names = [...new Set(found.map(({ options }) => String(options['run_name'])))].sort();
  throw new UserError(`There is no description of a run '${place.run_name}'`, {
    expected: names.length > 0 ? `one of ${names.join(', ')}` : `a file ${join(folder, `${place.run_name}*.json`)}`,
    mend: 'Name a run of this program, and with --root_dir the folder that holds its outputs',
  });
}

/**
 * The same without reading other runs' descriptions, for those who ask often; undefined where there is none, or none can be
 * read.
 */
export function latestRunDescription(place: { root_dir: string; run_name: string }): RunDescription | undefined {
  const folder = resultsFolder(place.root_dir);
  if (!existsSync(folder)) return undefined;
  const { run_name: run } = place;
  const isItsOwn = (name: string) => name.startsWith(run) && stamped.test(name.slice(run.length));
  return latestOf(describedRuns(folder, isItsOwn), run);
}

/** What follows a run's name in the names of its descriptions. */
const stamped = /^\d{8}_\d\d-\d\d-\d\d(-\d+)?\.json$/;

const resultsFolder = (rootDir: string) => join(rootDir, 'outputs', 'results');

function latestOf<T extends RunDescription>(described: readonly T[], run: string): T | undefined {
  const own = described.filter(({ options }) => options['run_name'] === run);
  return own.sort((a, b) => a.started.localeCompare(b.started)).at(-1);
}

/** All descriptions in a folder that can be read, of the files whose names are wanted. */
function describedRuns(
  folder: string,
  isWanted: (name: string) => boolean = () => true,
): (RunDescription & { path: string })[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.json') && !name.endsWith('.test.json'));
  } catch (error) {
    throw new UserError(`Cannot read '${folder}'`, { found: messageOf(error) }, { cause: error });
  }
  return names.filter(isWanted).flatMap((name) => {
    const path = join(folder, name);
    try {
      return { ...parseDescription(readFileSync(path, 'utf8')), path };
    } catch {
      return [];
    }
  });
}
