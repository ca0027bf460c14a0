// Everyone who listens to a training run, joined.
import { messageOf } from '../errors.js';
import type { TrainConfig } from '../options.js';
import { programFacts } from '../program.js';
import { createBadImageList } from './bad-images.js';
import { createRunDescription } from './describe-run.js';
import { combineReporters, type Reporter, type TrainingEvent } from './events.js';
import { createLogger } from './logger.js';
import { createScreen, type ScreenStream } from './progress.js';
import { createResults } from './results.js';
import { descriptionFile } from './run-description.js';
import { createRunFiles, type RunFiles } from './run-files.js';
import { createTensorboard, tensorboardFolder } from './tensorboard.js';
import { createWandb } from './wandb.js';

export interface ReportersSettings {
  config: Pick<TrainConfig, 'deterministic' | 'root_dir' | 'run_name' | 'wandb'>;
  /** Where to write, as `nameRunFiles` chose it or as the run did that this one goes on with. */
  files: RunFiles;
  /** The screen. */
  stream: ScreenStream;
  now?: () => Date;
  /** A clock for durations. */
  nowMs?: () => number;
  /** A terminal that knows no cursor movement; as TERM says, unless told. */
  isDumb?: boolean;
  env?: NodeJS.ProcessEnv;
}

/**
 * Shows a run on the screen, logs it, writes its table of results and its list of bad images, and tracks it for
 * TensorBoard and, where that is wanted, at W&B. The files are created with the first `data` event, so that a run which
 * finds its data wanting leaves none behind; that event throws a UserError when they can't be. After a `resumed` event the
 * log and the list go on, and the table begins anew with the epochs that were finished, so that no row is lost or there
 * twice.
 */
export function createReporters({
  config,
  files,
  stream,
  now = () => new Date(),
  nowMs = () => performance.now(),
  env = process.env,
  isDumb = env['TERM'] === 'dumb',
}: ReportersSettings): Reporter {
  const screen = createScreen({ stream, nowMs, isDumb });
  const warn = (path: string) => (error: unknown) => {
    screen.print(`WARNING: cannot write to ${path}: ${messageOf(error)}`);
  };
  const openFiles = (earlier: readonly TrainingEvent[]) => {
    const resumed = earlier.find((event) => event.kind === 'resumed');
    createRunFiles(files, { isResumed: resumed !== undefined });
    screen.print(`Logging to ${files.log}`);
    const results = { history: resumed?.history, hasTimings: !config.deterministic };
    return combineReporters([
      createLogger({ path: files.log, now, onFailure: warn(files.log) }),
      createResults({ path: files.results, ...results, onFailure: warn(files.results) }),
      createBadImageList({ path: files.bad, onFailure: warn(files.bad) }),
      createRunDescription({ files, program: programFacts(), now, onFailure: warn(descriptionFile(files)) }),
    ]);
  };
  const local = combineReporters([openedBy('data', openFiles), screen]);
  const folder = tensorboardFolder(config);
  const trackers = [createTensorboard({ folder, onFailure: warn(folder), now })];
  if (config.wandb) {
    const onWarning = (message: string) => local.handle({ kind: 'warning', message });
    const onAddress = (address: string) => local.handle({ kind: 'tracked', address });
    trackers.push(createWandb({ config, onWarning, onAddress, env, now }));
  }
  return combineReporters([local, ...trackers]);
}

/** A listener that comes into being with the first event of a kind, and is then told of those before it, too. */
function openedBy(kind: TrainingEvent['kind'], open: (earlier: readonly TrainingEvent[]) => Reporter): Reporter {
  let reporter: Reporter | undefined;
  const earlier: TrainingEvent[] = [];
  return {
    handle: (event) => {
      if (reporter === undefined && event.kind === kind) {
        reporter = open(earlier);
        for (const past of earlier) reporter.handle(past);
      }
      if (reporter === undefined) earlier.push(event);
      else reporter.handle(event);
    },
    close: () => reporter?.close(),
  };
}
