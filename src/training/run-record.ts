// Where a run is, in memory and on disk: the position that moves with each step, and the files that keep it.

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeLeftovers } from '../atomic-file.js';
import type { Preprocessing } from '../data/preprocessing.js';
import { UserError } from '../errors.js';
import type { TrainConfig } from '../options.js';
import type { EpochResult, Report } from '../reporting/events.js';
import { bestModelFile, modelFile, type RunFiles } from '../reporting/run-files.js';
import { isDiskFull, isSystemError } from '../system-error.js';
import { type SealedPart, slotPrefix, writeSealed } from '../weights/sealed-file.js';
import type { BadImages } from './bad-images.js';
import { bestEpoch, isOutOfPatience } from './best.js';
import { describeContents } from './checkpoint/contents.js';
import { type FoundCheckpoint, findUnfinished } from './checkpoint/find.js';
import type { DataFingerprint } from './checkpoint/fingerprint.js';
import { CheckpointFolder, checkpointFolder, linkOver } from './checkpoint/folder.js';
import type { RunState } from './checkpoint/state.js';
import { finite } from './finite.js';
import { MeanMetrics } from './metrics.js';
import { type ModelFacts, saveModel } from './model-file.js';
import type { StepCounters, Steps } from './steps.js';

export interface RecordParts {
  config: TrainConfig;
  steps: Steps;
  badImages: BadImages;
  classes: readonly string[];
  preprocessing: Preprocessing;
  data: DataFingerprint;
  files: RunFiles;
  threads: number;
  kernels?: boolean;
  tensorflowVersion: string;
  report: Report;
  /** Whether the run's name is still this process's. */
  holdsName: () => boolean;
}

export class RunRecord {
  /** Epochs that are over. */
  epoch = 0;
  /** Batches of the one in progress whose steps are done. */
  batch = 0;
  /** Of all of its batches that were trained; more than `batch` of them within a step of several. */
  metrics = new MeanMetrics();
  /** Of `batch` batches. */
  #sums = this.metrics.sums;
  history: readonly EpochResult[] = [];
  readonly #parts: RecordParts;
  readonly #folder: CheckpointFolder;
  #epochSeconds = 0;
  #seconds = 0;
  #countedMs = performance.now();
  /** What becomes of another run's checkpoints in the folder at the first save. */
  #takesOver: { isUnfinished: boolean } | undefined;
  #savedAt: string | undefined;
  #savedPath: string | undefined;
  #savedMs = performance.now();
  #isModelSaved = false;

  private constructor(parts: RecordParts) {
    this.#parts = parts;
    this.#folder = new CheckpointFolder(checkpointFolder(parts.config), parts.config.keep_checkpoints);
  }

  /** The record of a run that begins, or goes on from `from`. Says when an unfinished run of this name is put aside. */
  static async open(parts: RecordParts, from: FoundCheckpoint | undefined): Promise<RunRecord> {
    const record = new RunRecord(parts);
    await record.#folder.tidy();
    await removeLeftovers(dirname(modelFile(parts.config)));
    await removeLeftovers(dirname(parts.files.results));
    await (from ? record.#continue(from) : record.#begin());
    return record;
  }

  async #begin(): Promise<void> {
    const { config, report } = this.#parts;
    const unfinished = await findUnfinished(config);
    this.#takesOver = { isUnfinished: unfinished !== undefined };
    if (!unfinished) return;
    const { epoch, counters } = unfinished.state;
    const message = `A run named ${config.run_name} stopped unfinished in epoch ${epoch} after step ${counters.step}. This one begins anew and puts that one aside when it first saves; go on with it by --resume=${this.#folder.unfinished} and another --run_name`;
    report({ kind: 'warning', message });
  }

  async #continue({ checkpoint: { path, state }, damaged }: FoundCheckpoint): Promise<void> {
    const { epoch, batch, sums, history, epochSeconds, seconds } = state;
    Object.assign(this, { epoch, batch, history, metrics: new MeanMetrics(sums) });
    this.#sums = sums;
    this.#epochSeconds = epochSeconds;
    this.#seconds = seconds;
    for (const { path, reason } of damaged) {
      const message = `The checkpoint ${path} is not whole (${reason}): the one before it is used`;
      this.#parts.report({ kind: 'warning', message });
      if (dirname(path) === this.#folder.path) await this.#folder.putAsideDamaged(path);
    }
    const [newest] = await this.#folder.newestFirst();
    if (path === newest) {
      this.#savedAt = this.#position(state.counters);
      this.#savedPath = path;
      // The run may have been killed between the two.
      if (path === this.#folder.last && this.#isBestNow) await this.#folder.markBest();
    } else {
      this.#takesOver = { isUnfinished: (await findUnfinished(this.#parts.config)) !== undefined };
    }
  }

  /** Whether there is no epoch left to train. */
  get isOver(): boolean {
    const { epochs, early_stopping: patience } = this.#parts.config;
    return this.batch === 0 && (this.epoch >= epochs || isOutOfPatience(this.history, patience));
  }

  /** The last checkpoint of this run on disk. */
  get checkpointPath(): string | undefined {
    return this.#savedPath;
  }

  /** Seconds spent on the epoch in progress, all parts of the run together. */
  get epochSeconds(): number {
    this.#count();
    return this.#epochSeconds;
  }

  /** Seconds spent on training, all parts of the run together. */
  get seconds(): number {
    this.#count();
    return this.#seconds;
  }

  /** Time from here on is the run's, what went before was not. */
  startClock(): void {
    this.#countedMs = performance.now();
  }

  #count(): void {
    const now = performance.now();
    const seconds = (now - this.#countedMs) / 1000;
    this.#epochSeconds += seconds;
    this.#seconds += seconds;
    this.#countedMs = now;
  }

  /** So many batches of the epoch are trained, and the last step is whole. */
  noteStep(batches: number): void {
    this.batch = batches;
    this.#sums = this.metrics.sums;
  }

  /** An epoch is over: its result is noted, and the model and a checkpoint are written. */
  async endEpoch(result: EpochResult): Promise<void> {
    this.history = [...this.history, result];
    this.epoch += 1;
    this.batch = 0;
    this.metrics = new MeanMetrics();
    this.#sums = this.metrics.sums;
    this.#epochSeconds = 0;
    await this.saveModel();
    await this.save();
  }

  /** Whether it is time for a checkpoint within the epoch. */
  get isSaveDue(): boolean {
    const { checkpoint_minutes: minutes } = this.#parts.config;
    return minutes > 0 && performance.now() - this.#savedMs >= minutes * 60_000;
  }

  /**
   * Writes a checkpoint unless this very position is saved. Where the disk does not take it, that is told, the one
   * before stays, and false is returned. Throws a `UserError` when another run has taken the name.
   */
  async save(): Promise<boolean> {
    const position = this.#position(this.#parts.steps.counters);
    if (this.#savedAt === position) return true;
    this.#requireName();
    const started = performance.now();
    const contents = { state: this.#state(), ...this.#parts };
    const metadata = describeContents(contents, this.#facts);
    const write = (path: string) => writeSealed(path, { parts: this.#tensors(), metadata });
    const isSaved = await this.#tryToWrite('checkpoint', async () => {
      try {
        await this.#folder.save(write, this.#takesOver);
      } catch (error) {
        if (!isDiskFull(error) || this.#takesOver || !(await this.#folder.makeRoom())) throw error;
        await this.#folder.save(write);
      }
      if (this.#isBestNow) await this.#folder.markBest();
    });
    this.#savedMs = performance.now();
    if (!isSaved) return false;
    this.#takesOver = undefined;
    this.#savedAt = position;
    this.#savedPath = this.#folder.last;
    const { step } = this.#parts.steps.counters;
    const seconds = (this.#savedMs - started) / 1000;
    this.#parts.report({ kind: 'checkpoint', path: this.#folder.last, step, seconds });
    return true;
  }

  /** Writes the network as it is now to outputs/models, and beside it the best one where this is it. */
  async saveModel(): Promise<boolean> {
    const { config, steps } = this.#parts;
    const path = modelFile(config);
    this.#isModelSaved = await this.#tryToWrite('model', async () => {
      // Somebody may have taken it away.
      await mkdir(dirname(path), { recursive: true });
      await saveModel(path, finite(steps.readWeights(), 'weights'), this.#facts);
      if (this.#isBestNow) await linkOver(path, bestModelFile(config));
    });
    return this.#isModelSaved;
  }

  /** Makes sure that the finished network is on disk; throws a `UserError` when it can't be brought there. */
  async requireModel(): Promise<void> {
    if (this.#isModelSaved || (await this.saveModel())) return;
    throw new UserError(`The model can't be written to ${modelFile(this.#parts.config)}`, {
      mend: this.#savedPath
        ? `Make room there and finish the run with --resume: ${this.#savedPath} holds it`
        : 'Make room there and run again',
    });
  }

  async #tryToWrite(what: string, write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      const kept = this.#savedPath ? 'the one before stays' : 'there is none yet';
      const message = `The ${what} could not be saved (${error.message}); ${what === 'checkpoint' ? kept : 'it is tried again later'}`;
      this.#parts.report({ kind: 'warning', message });
      return false;
    }
  }

  get #isBestNow(): boolean {
    return this.epoch > 0 && this.batch === 0 && bestEpoch(this.history)?.epoch === this.epoch;
  }

  #position({ step, skipped }: StepCounters): string {
    return `${this.epoch} ${this.batch} ${step} ${skipped}`;
  }

  #requireName(): void {
    if (this.#parts.holdsName()) return;
    throw new UserError(`Another run has taken the name ${this.#parts.config.run_name}`, {
      mend: 'Leave the name to it: this run stops here and has changed nothing of it',
    });
  }

  #state(): RunState {
    const { steps, badImages } = this.#parts;
    const { epoch, batch, history } = this;
    return {
      counters: steps.counters,
      epoch,
      batch,
      sums: this.#sums,
      epochSeconds: this.epochSeconds,
      seconds: this.seconds,
      history,
      badImages: badImages.list,
      isComplete: this.isOver,
    };
  }

  get #facts(): ModelFacts {
    return { ...this.#parts, result: this.history.at(-1) };
  }

  /** Weights under their own names, so that any reader finds them, and the optimizer's slots under theirs. */
  #tensors(): SealedPart[] {
    const { steps } = this.#parts;
    const slots = steps.slotKinds.map((kind) => ({
      tensors: steps.slotSpecs(steps.counters, kind).map((spec) => ({ ...spec, name: slotPrefix + spec.name })),
      read: () =>
        new Map(
          [...finite(steps.readSlots(kind), 'slots of the optimizer')].map(([name, tensor]) => [
            slotPrefix + name,
            tensor,
          ]),
        ),
    }));
    return [{ tensors: steps.parameters, read: () => finite(steps.readWeights(), 'weights') }, ...slots];
  }
}
