// A run at Weights & Biases: one row an epoch. All of it goes into the run's journal first, and from there to the server
// when and as far as that can be reached; training never waits for it.
import { exitCode as exitCodes, messageOf } from '../errors.js';
import { redact } from '../secrets.js';
import type { EpochResult, Metrics, Reporter, Split } from './events.js';
import { type Journal, journalFile, openJournal, type WandbNumber, type WandbRow } from './wandb-journal.js';
import { trainingPatience, type WandbPatience } from './wandb-server.js';
import { checkWandb, defaultProject, type WandbSettings, wandbRunId } from './wandb-settings.js';
import { createUploader, type Uploader } from './wandb-uploader.js';

export interface WandbReporterSettings {
  config: { root_dir: string; run_name: string };
  /** Hears, once, that not everything reaches the server, and once that the journal can't be written. */
  onWarning: (message: string) => void;
  /** Hears where the run can be seen, once the server has accepted it. */
  onAddress: (address: string) => void;
  env?: NodeJS.ProcessEnv;
  now?: () => Date;
  patience?: WandbPatience;
  /** How long the end may take. */
  flushMs?: number;
}

/** How long the end of a run waits for the server. One that is stopped by a scheduler has little time left. */
const defaultFlushMs = 10_000;
const stoppedFlushMs = 3_000;
/** A hiccup is not worth a warning; a server that has never answered is. */
const troublesBeforeWarning = 3;

/**
 * Logs a run as the environment says. Nothing is sent or recorded before the first epoch begins or the run is resumed.
 * @throws UserError as {@link checkWandb}
 */
export function createWandb(settings: WandbReporterSettings): Reporter {
  const wandb = checkWandb(settings.env);
  if (wandb.mode === 'disabled') return { handle: () => {}, close: () => {} };
  return new WandbReporter(settings, wandb);
}

class WandbReporter implements Reporter {
  readonly #settings: WandbReporterSettings;
  readonly #wandb: WandbSettings;
  readonly #now: () => Date;
  #config: Readonly<Record<string, unknown>> = {};
  #journal: Journal | undefined;
  #uploader: Uploader | undefined;
  /** When the run would have begun, had it not been interrupted; milliseconds. */
  #startedMs = 0;
  #exitCode: number = exitCodes.bug;
  #isConnected = false;
  #hasWarned = false;

  constructor(settings: WandbReporterSettings, wandb: WandbSettings) {
    this.#settings = settings;
    this.#wandb = wandb;
    this.#now = settings.now ?? (() => new Date());
  }

  handle(event: Parameters<Reporter['handle']>[0]): void {
    switch (event.kind) {
      case 'run':
        this.#config = event.parameters;
        break;
      case 'resumed':
        this.#open(event.history);
        break;
      case 'epoch-start':
        if (this.#journal === undefined) this.#open([]);
        break;
      case 'epoch-end':
        this.#addRow(rowOf(event.result, this.#times()));
        break;
      case 'tested': {
        const values = numbers(metricsOf('test', event.metrics));
        this.#journal?.write({ kind: 'summary', values }, { flush: true });
        this.#uploader?.addSummary(values);
        break;
      }
      case 'finished':
        this.#exitCode = exitCodes.ok;
        break;
      case 'stopped':
        this.#exitCode = exitCodes.resumable;
        break;
      case 'failed':
        this.#exitCode = exitCodes.bug;
        break;
    }
  }

  async close(): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) return;
    const exitCode = this.#exitCode;
    journal.write({ kind: 'end', exitCode }, { flush: true });
    if (this.#uploader) {
      const isPreempted = exitCode === exitCodes.resumable;
      const limitMs = this.#settings.flushMs ?? (isPreempted ? stoppedFlushMs : defaultFlushMs);
      if (await this.#uploader.finish({ exitCode, isPreempted, limitMs })) journal.write({ kind: 'closed' });
      else this.#warn('it has not confirmed everything in time');
    }
    journal.close();
  }

  #open(history: readonly EpochResult[]): void {
    const { config, onWarning } = this.#settings;
    const { project, entity, baseUrl, group, jobType, notes, tags } = this.#wandb;
    const path = journalFile(config);
    const journal = openJournal(path, (error) => {
      onWarning(`cannot write to ${path}: ${messageOf(error)}`);
    });
    this.#journal = journal;
    const name = config.run_name;
    const id = wandbRunId(name);
    const run = { id, name, project, entity, baseUrl, group, jobType, notes, tags, config: describe(this.#config) };
    journal.write({ kind: 'run', run, epochs: history.length }, { flush: true });
    this.#fillIn(history);
    this.#startedMs = this.#now().getTime() - 1000 * (journal.state.rows.at(-1)?._runtime ?? 0);
    const { mode, key } = this.#wandb;
    if (mode === 'online' && key !== undefined) this.#uploader = this.#startUploader(journal, key);
  }

  /** Journals what the checkpoint's history has and the journal has not, or has otherwise. */
  #fillIn(history: readonly EpochResult[]): void {
    let runtime = 0;
    for (const result of history) {
      runtime += result.seconds;
      const known = this.#journal?.state.rows.find(({ _step }) => _step === result.epoch);
      const row = rowOf(result, { _timestamp: this.#now().getTime() / 1000, _runtime: runtime });
      if (known === undefined || !isSameEpoch(known, row)) this.#journal?.write({ kind: 'row', row }, { flush: true });
    }
  }

  #startUploader(journal: Journal, key: string): Uploader {
    return createUploader({
      key,
      project: defaultProject,
      state: () => journal.state,
      patience: this.#settings.patience ?? trainingPatience,
      env: this.#settings.env ?? process.env,
      onConnected: (address) => {
        if (!this.#isConnected) this.#settings.onAddress(address);
        this.#isConnected = true;
      },
      onSent: (rows) => journal.write({ kind: 'sent', rows }),
      onTrouble: (message, count) => {
        if (count >= (this.#isConnected ? troublesBeforeWarning : 1)) this.#warn(message);
      },
      onGaveUp: (message) => this.#warn(message),
    });
  }

  #addRow(row: WandbRow): void {
    this.#journal?.write({ kind: 'row', row }, { flush: true });
    this.#uploader?.addRow(row);
  }

  #times() {
    const nowMs = this.#now().getTime();
    return { _timestamp: nowMs / 1000, _runtime: (nowMs - this.#startedMs) / 1000 };
  }

  #warn(reason: string): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const { config, onWarning } = this.#settings;
    onWarning(
      `W&B does not get everything: ${redact(reason, this.#settings.env)}. Training goes on, and what is missing is kept: ` +
        `\`deep-cnn wandb sync ${config.run_name}\` sends it later.`,
    );
  }
}

function rowOf(result: EpochResult, times: { _timestamp: number; _runtime: number }): WandbRow {
  const { epoch, train, validation, learningRate, imagesPerSecond } = result;
  const values = numbers({
    ...metricsOf('train', train),
    ...(validation && metricsOf('val', validation)),
    lr: learningRate,
    images_per_second: imagesPerSecond,
  });
  return { ...values, ...times, _step: epoch };
}

function metricsOf(split: Split, { loss, precisionAt1, precisionAt5 }: Metrics): Record<string, number> {
  return { [`loss_${split}`]: loss, [`precision_${split}@1`]: precisionAt1, [`precision_${split}@5`]: precisionAt5 };
}

/** JSON has no word for numbers that are none. */
function numbers(values: Record<string, number>): Record<string, WandbNumber> {
  const entries = Object.entries(values);
  return Object.fromEntries(entries.map(([name, value]) => [name, Number.isFinite(value) ? value : String(value)]));
}

function isSameEpoch(known: WandbRow, row: WandbRow): boolean {
  return Object.entries(row).every(([name, value]) => name.startsWith('_') || known[name] === value);
}

/** The options as W&B keeps them. */
function describe(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = Object.entries(config).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, { value }]));
}
