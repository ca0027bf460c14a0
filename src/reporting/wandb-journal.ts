// What a run has for Weights & Biases, on disk: lines of JSON that are only ever appended, so that a run that is killed
// has lost nothing, and a later one or `deep-cnn wandb sync` knows what the server has already.
import { join } from 'node:path';
import { isRecord } from '../is-record.js';
import { type AppendFile, createAppendFile } from './append-file.js';
import { readTextIfThere } from './text-file.js';

/** A number; the text 'NaN', 'Infinity' or '-Infinity' where JSON knows none, as W&B's own tools send it. */
export type WandbNumber = number | string;

/** One epoch, as W&B shows it; `_step` is the epoch, counted from 1. */
export type WandbRow = Readonly<Record<string, WandbNumber>> & { readonly _step: number; readonly _runtime: number };

/** Who the run is. Project and entity are absent where nobody has named them. */
export interface WandbRun {
  id: string;
  name: string;
  project?: string | undefined;
  entity?: string | undefined;
  baseUrl: string;
  group?: string | undefined;
  jobType?: string | undefined;
  notes?: string | undefined;
  tags: readonly string[];
  config: Readonly<Record<string, unknown>>;
}

export interface JournalState {
  run: WandbRun | undefined;
  /** All epochs, in order. */
  rows: readonly WandbRow[];
  /** What the test has measured. */
  summary: Readonly<Record<string, WandbNumber>>;
  /** How many rows the server has confirmed. */
  sentRows: number;
  /** Of a run that has ended; 75 when it can be resumed. */
  exitCode: number | undefined;
  /** The server has confirmed the end and all before it. */
  isClosed: boolean;
}

export type JournalLine =
  /** A run begins, or goes on behind so many epochs. */
  | { kind: 'run'; run: WandbRun; epochs: number }
  | { kind: 'row'; row: WandbRow }
  | { kind: 'summary'; values: Readonly<Record<string, WandbNumber>> }
  | { kind: 'end'; exitCode: number }
  | { kind: 'sent'; rows: number }
  | { kind: 'closed' };

/** The place of a run's journal. */
export function journalFile(config: { root_dir: string; run_name: string }): string {
  return join(config.root_dir, 'outputs', 'wandb', config.run_name, 'journal.jsonl');
}

const emptyJournal: JournalState = {
  run: undefined,
  rows: [],
  summary: {},
  sentRows: 0,
  exitCode: undefined,
  isClosed: false,
};

/** The state after one more line. */
export function follow(state: JournalState, line: JournalLine): JournalState {
  switch (line.kind) {
    case 'run': {
      const rows = state.rows.filter(({ _step }) => _step <= line.epochs);
      const sentRows = Math.min(state.sentRows, rows.length);
      return { ...emptyJournal, run: line.run, rows, sentRows };
    }
    case 'row': {
      // An epoch that is told again replaces the earlier telling, and has to be sent again.
      const before = state.rows.filter(({ _step }) => _step < line.row._step);
      const after = state.rows.filter(({ _step }) => _step > line.row._step);
      return { ...state, rows: [...before, line.row, ...after], sentRows: Math.min(state.sentRows, before.length) };
    }
    case 'summary':
      return { ...state, summary: { ...state.summary, ...line.values } };
    case 'end':
      return { ...state, exitCode: line.exitCode };
    case 'sent':
      return { ...state, sentRows: Math.min(Math.max(state.sentRows, line.rows), state.rows.length) };
    case 'closed':
      return { ...state, isClosed: true };
  }
}

/** The journal's state; an empty one where there is none. A line that was cut off, or is no line of ours, is left out. */
export function readJournal(path: string): JournalState {
  return readTextIfThere(path).split('\n').flatMap(parseLine).reduce(follow, emptyJournal);
}

export interface Journal {
  readonly state: JournalState;
  /** Appends a line; with `flush` it is on disk afterwards. */
  write(line: JournalLine, how?: { flush: boolean }): void;
  close(): void;
}

/** Goes on with the journal at `path`. `onFailure` hears, once, that it can't be read or written. */
export function openJournal(path: string, onFailure: (error: unknown) => void): Journal {
  let state = emptyJournal;
  try {
    state = readJournal(path);
  } catch (error) {
    onFailure(error);
  }
  const file: AppendFile = createAppendFile({ path, onFailure });
  // The last line may have been cut off by a kill.
  let separator = '\n';
  return {
    get state() {
      return state;
    },
    write: (line, how) => {
      state = follow(state, line);
      file.append(Buffer.from(`${separator}${JSON.stringify(line)}\n`), how);
      separator = '';
    },
    close: () => file.close(),
  };
}

function parseLine(text: string): JournalLine[] {
  if (!text.startsWith('{') || !text.endsWith('}')) return [];
  try {
    const line: unknown = JSON.parse(text);
    return isLine(line) ? [line] : [];
  } catch {
    return [];
  }
}

function isLine(line: unknown): line is JournalLine {
  if (!isRecord(line)) return false;
  switch (line['kind']) {
    case 'run':
      return isRecord(line['run']) && typeof line['run']['id'] === 'string' && typeof line['epochs'] === 'number';
    case 'row':
      return isRecord(line['row']) && typeof line['row']['_step'] === 'number';
    case 'summary':
      return isRecord(line['values']);
    case 'end':
      return typeof line['exitCode'] === 'number';
    case 'sent':
      return typeof line['rows'] === 'number';
    default:
      return line['kind'] === 'closed';
  }
}
