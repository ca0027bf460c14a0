// Everyone who listens to a training run, joined.
import type { TrainConfig } from '../options.js';
import { combineReporters, type Reporter, type TrainingEvent } from './events.js';
import { createLogger } from './logger.js';
import { createScreen, type ScreenStream } from './progress.js';
import { createResults } from './results.js';
import { createRunFiles } from './run-files.js';

export interface ReportersSettings {
  config: Pick<TrainConfig, 'root_dir' | 'run_name'>;
  /** The screen. */
  stream: ScreenStream;
  now?: () => Date;
  /** A clock for durations. */
  nowMs?: () => number;
  /** A terminal that knows no cursor movement; as TERM says, unless told. */
  isDumb?: boolean;
}

/**
 * Shows a run on the screen, logs it, and writes its table of results. The files are created with the first `data`
 * event, so that a run which finds its data wanting leaves none behind; that event throws a UserError when they can't be.
 */
export function createReporters({
  config,
  stream,
  now = () => new Date(),
  nowMs = () => performance.now(),
  isDumb = process.env['TERM'] === 'dumb',
}: ReportersSettings): Reporter {
  const started = now();
  const screen = createScreen({ stream, nowMs, isDumb });
  const openFiles = () => {
    const files = createRunFiles(config, started);
    const warn = (path: string) => (error: unknown) => {
      screen.print(`WARNING: cannot write to ${path}: ${error instanceof Error ? error.message : String(error)}`);
    };
    screen.print(`Logging to ${files.log}`);
    return combineReporters([
      createLogger({ path: files.log, now, onFailure: warn(files.log) }),
      createResults({ path: files.results, onFailure: warn(files.results) }),
    ]);
  };
  return combineReporters([openedBy('data', openFiles), screen]);
}

/** A listener that comes into being with the first event of a kind, and is then told of those before it, too. */
function openedBy(kind: TrainingEvent['kind'], open: () => Reporter): Reporter {
  let reporter: Reporter | undefined;
  const earlier: TrainingEvent[] = [];
  return {
    handle: (event) => {
      if (reporter === undefined && event.kind === kind) {
        reporter = open();
        for (const past of earlier) reporter.handle(past);
      }
      if (reporter === undefined) earlier.push(event);
      else reporter.handle(event);
    },
    close: () => reporter?.close(),
  };
}
