// Everyone who listens to a training run, joined.
import type { TrainConfig } from '../options.js';
import { createBadImageList } from './bad-images.js';
import { combineReporters, type Reporter, type TrainingEvent } from './events.js';
import { createLogger } from './logger.js';
import { createScreen, type ScreenStream } from './progress.js';
import { createResults } from './results.js';
import { createRunFiles, type RunFiles } from './run-files.js';

export interface ReportersSettings {
  config: Pick<TrainConfig, 'deterministic'>;
  /** Where to write, as `nameRunFiles` chose it or as the run did that this one goes on with. */
  files: RunFiles;
  /** The screen. */
  stream: ScreenStream;
  now?: () => Date;
  /** A clock for durations. */
  nowMs?: () => number;
  /** A terminal that knows no cursor movement; as TERM says, unless told. */
  isDumb?: boolean;
}

/**
 * Shows a run on the screen, logs it, and writes its table of results and its list of bad images. The files are created
 * with the first `data` event, so that a run which finds its data wanting leaves none behind; that event throws a
 * UserError when they can't be. After a `resumed` event the log and the list go on, and the table begins anew with the
 * epochs that were finished, so that no row is lost or there twice.
 */
export function createReporters({
  config,
  files,
  stream,
  now = () => new Date(),
  nowMs = () => performance.now(),
  isDumb = process.env['TERM'] === 'dumb',
}: ReportersSettings): Reporter {
  const screen = createScreen({ stream, nowMs, isDumb });
  const openFiles = (earlier: readonly TrainingEvent[]) => {
    const resumed = earlier.find((event) => event.kind === 'resumed');
    createRunFiles(files, { isResumed: resumed !== undefined });
    const warn = (path: string) => (error: unknown) => {
      screen.print(`WARNING: cannot write to ${path}: ${error instanceof Error ? error.message : String(error)}`);
    };
    screen.print(`Logging to ${files.log}`);
    const results = { history: resumed?.history, hasTimings: !config.deterministic };
    return combineReporters([
      createLogger({ path: files.log, now, onFailure: warn(files.log) }),
      createResults({ path: files.results, ...results, onFailure: warn(files.results) }),
      createBadImageList({ path: files.bad, onFailure: warn(files.bad) }),
    ]);
  };
  return combineReporters([openedBy('data', openFiles), screen]);
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
