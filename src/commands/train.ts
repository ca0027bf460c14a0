// `deep-cnn train`, the default command: a run, from its options to its page, under a name that is its own meanwhile.

import { watchDeadline } from '../cluster/deadline.js';
import { setDecodeThreads } from '../data/threads.js';
import { exitCode, messageOf } from '../errors.js';
import type { Command } from '../options/command.js';
import { completeConfig } from '../options/complete-config.js';
import { checkModelName } from '../options/model-name.js';
import { valueText } from '../options/option-text.js';
import { findRootDir } from '../options/paths.js';
import { type ChangedOption, mergeForResume } from '../options/resume-options.js';
import { type TrainConfig, trainOptions } from '../options.js';
import type { Report } from '../reporting/events.js';
import type { ScreenStream } from '../reporting/progress.js';
import { nameRunFiles } from '../reporting/run-files.js';
import { checkWandb } from '../reporting/wandb-settings.js';
import { type FoundCheckpoint, findCheckpoint } from '../training/checkpoint/find.js';
import { choosePrecision } from '../training/precision-choice.js';
import { lockRun } from '../training/run-lock.js';
import { createStopping } from '../training/stopping.js';
import type { TrainSetting } from '../training/train.js';
import { type CatchOptions, type CaughtSignals, catchSignals } from './signals.js';

/** What the command needs from the rest of the program; tests put their own in. */
export interface TrainParts {
  modelNames: () => Promise<readonly string[]>;
  /** Loads the trainer, TensorFlow and all. */
  loadTrainer: () => Promise<
    (config: TrainConfig, report: Report, setting: TrainSetting) => Promise<'finished' | 'stopped'>
  >;
}

/** The real ones. */
export const wholeProgram: TrainParts = {
  modelNames: async () => (await import('../models/registry.js')).modelNames(),
  loadTrainer: async () => (await import('../training/train.js')).train,
};

/** Who may ask a run to stop, and who sees it. */
export interface Surroundings {
  catchStops: (options: CatchOptions) => Omit<CaughtSignals, 'first'> & { first(): string | undefined };
  screen: ScreenStream;
  /** Hears, as a line, what the run waits for before it begins. */
  onWait: (line: string) => void;
  onEvent?: Report | undefined;
}

const terminal = (): Surroundings => ({ catchStops: catchSignals, screen: process.stdout, onWait: console.log });

export interface TrainingSettings extends Pick<TrainSetting, 'expectedData'> {
  /** The options that were given, which a resumed run's checkpoint does not replace. */
  given?: ReadonlySet<string>;
  surroundings?: Surroundings;
}

export const trainCommand: Command<typeof trainOptions> = {
  name: 'train',
  summary: 'Fine-tune a network on a folder of images',
  options: trainOptions,
  run: (values, _, given) => runTraining(values, wholeProgram, { given }),
};

/**
 * Trains as told, or goes on with a run, with all reporters listening; holds the run's name meanwhile. Returns the exit
 * code: `resumable` where the run was stopped and saved.
 * @throws UserError for a mistake in the options, before anything is created.
 */
export async function runTraining(
  values: TrainConfig,
  trainParts: TrainParts,
  { given = new Set(), expectedData, surroundings = terminal() }: TrainingSettings = {},
): Promise<number> {
  // Before anything else: the thread pool takes its size when it is first used.
  setDecodeThreads(values.workers);
  const { resume } = values;
  let found: FoundCheckpoint | undefined;
  // A signal in set-up ends a run that was resumed without loss: it can be resumed once more.
  const signals = surroundings.catchStops({ exitCodeInSetUp: () => (found ? exitCode.resumable : undefined) });
  try {
    const names = await trainParts.modelNames();
    // A mistake is told before the name is taken. A resumed run's options are known only then.
    const fresh = resume === undefined ? plan(values, names) : undefined;
    return await holdingName(values, surroundings, async (place, holdsName) => {
      found = resume === undefined ? undefined : await findCheckpoint({ ...place, resume });
      const { config, changed } = fresh ?? plan(values, names, found && { given, saved: found.checkpoint.options });
      const deadline = await watchDeadline({ timeLimitSeconds: config.time_limit });
      const stopping = createStopping({ signal: signals.first, deadline: deadline.current });
      const setting = { from: found, stopping, files: filesFor(config, found), expectedData, holdsName };
      const warnings = [...changed.map(changeText), ...(deadline.warning ? [deadline.warning] : [])];
      try {
        const msLeft = () => (deadline.current()?.atMs ?? Number.POSITIVE_INFINITY) - performance.now();
        const parts = { ...trainParts, setting, warnings, surroundings, msLeft, onTraining: signals.hold };
        return await trainAndTell(config, parts);
      } finally {
        deadline.close();
      }
    });
  } finally {
    signals.release();
  }
}

type Place = { root_dir: string; run_name: string };

/** Does `work` under the run's name, which no other run has meanwhile. */
async function holdingName<T>(
  { root_dir, run_name, resume }: TrainConfig,
  { onWait }: Surroundings,
  work: (place: Place, holdsName: () => boolean) => Promise<T>,
): Promise<T> {
  const place = { root_dir: findRootDir(root_dir), run_name };
  const lock = await lockRun(place, { patient: resume !== undefined, onWait });
  process.once('exit', lock.release);
  try {
    return await work(place, lock.isHeld);
  } finally {
    lock.release();
    process.removeListener('exit', lock.release);
  }
}

/**
 * The run's options: those of the checkpoint where it goes on and they are not given. The precision becomes a definite
 * one, which checkpoints keep; to ask for `auto` is then to ask for that.
 */
function plan(
  values: TrainConfig,
  modelNames: readonly string[],
  from?: { given: ReadonlySet<string>; saved: Readonly<Record<string, unknown>> },
): { config: TrainConfig; changed: readonly ChangedOption[] } {
  const given = new Set([...(from?.given ?? [])].filter((name) => name !== 'precision' || values.precision !== 'auto'));
  const { config, changed } = from ? mergeForResume(values, given, from.saved) : { config: values, changed: [] };
  checkModelName(config.model, modelNames);
  // A missing key is told before any work.
  if (config.wandb) checkWandb();
  // A resumed run has its weights in the checkpoint: the file that they came from may be gone.
  const precision = choosePrecision(config.precision, config.device);
  return { config: completeConfig({ ...config, precision }, { needsWeights: from === undefined }), changed };
}

/** A run goes on writing where it wrote, unless it has got another name. */
function filesFor(config: TrainConfig, found: FoundCheckpoint | undefined) {
  const isSameRun = found?.checkpoint.options['run_name'] === config.run_name;
  return found && isSameRun ? found.checkpoint.files : nameRunFiles(config, new Date());
}

interface TellingParts extends TrainParts {
  setting: TrainSetting & { files: NonNullable<TrainSetting['files']> };
  warnings: readonly string[];
  surroundings: Surroundings;
  /** Until the deadline. */
  msLeft: () => number;
  /** Called when the first step is about to come. */
  onTraining: () => void;
}

/** The page of results is left to `deep-cnn report` where it would take longer: a stopped run's job may be about to end. */
const reportMs = { finished: 60_000, stopped: 5000, failed: 5000 };
/** For what comes after it. */
const endMs = 1000;

async function trainAndTell(config: TrainConfig, parts: TellingParts): Promise<number> {
  const { loadTrainer, setting, warnings, surroundings, msLeft, onTraining } = parts;
  const [{ createReporters }, { RunReport }] = await Promise.all([
    import('../reporting/reporters.js'),
    import('../report/run-report.js'),
  ]);
  const reporters = createReporters({ config, files: setting.files, stream: surroundings.screen });
  const report: Report = (event) => {
    if (event.kind === 'epoch-start') onTraining();
    reporters.handle(event);
    runReport.note(event);
    surroundings.onEvent?.(event);
  };
  const runReport = new RunReport(setting.files, report);
  const onTested = runReport.addTested.bind(runReport);
  const writePage = (end: keyof typeof reportMs) => runReport.write(Math.min(reportMs[end], msLeft() - endMs));
  try {
    for (const message of warnings) report({ kind: 'warning', message });
    const train = await loadTrainer();
    const outcome = await train(config, report, { ...setting, onTested });
    await writePage(outcome);
    return outcome === 'stopped' ? exitCode.resumable : exitCode.ok;
  } catch (error) {
    report({ kind: 'failed', message: messageOf(error) });
    await writePage('failed');
    throw error;
  } finally {
    await reporters.close();
  }
}

function changeText({ name, from, to }: ChangedOption): string {
  return `Changed since the run was saved: ${name} from ${valueText(name, from)} to ${valueText(name, to)}`;
}
