// Where a run writes. The log, the table of results and the list of bad images carry the same time stamp; the weights
// carry none, so that a run's name is enough to find them.
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf, UserError } from '../errors.js';

/** Absolute paths. */
export interface RunFiles {
  log: string;
  results: string;
  /** The list of images that are left out, which comes into being with the first of them. */
  bad: string;
  model: string;
}

/** The place of a run's weights, `outputs/models/<run_name>.safetensors`. */
export function modelFile(config: { root_dir: string; run_name: string }): string {
  return join(config.root_dir, 'outputs', 'models', `${config.run_name}.safetensors`);
}

/** The place of the weights of the epoch with the lowest validation loss, beside the last one's. */
export function bestModelFile(config: { root_dir: string; run_name: string }): string {
  return join(config.root_dir, 'outputs', 'models', `${config.run_name}.best.safetensors`);
}

/**
 * Chooses names that no file has, and touches nothing: a second run in the same second gets `-2` after its time stamp,
 * and so on. The names are this run's own as long as it holds its run name.
 */
export function nameRunFiles(config: { root_dir: string; run_name: string }, now: Date): RunFiles {
  const outputs = join(config.root_dir, 'outputs');
  for (let attempt = 1; ; attempt++) {
    const stem = `${config.run_name}${timestamp(now)}${attempt === 1 ? '' : `-${attempt}`}`;
    const log = join(outputs, 'logger', `${stem}.log`);
    const bad = join(outputs, 'logger', `${stem}.bad.csv`);
    const results = join(outputs, 'results', `${stem}.csv`);
    if (![log, bad, results].some((path) => existsSync(path))) return { log, results, bad, model: modelFile(config) };
  }
}

/**
 * Makes the folders of a run's files, and its empty log and table of results. Where the run goes on, those that it has
 * are left as they are.
 * @throws UserError when one of them cannot be written, or a new run's are there already.
 */
export function createRunFiles({ log, results, model }: RunFiles, { isResumed = false } = {}): void {
  for (const folder of [log, results, model].map((path) => dirname(path))) {
    orUserError(folder, () => {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.W_OK | constants.X_OK);
    });
  }
  for (const path of [log, results]) orUserError(path, () => closeSync(openSync(path, isResumed ? 'a' : 'wx')));
}

/** Local time as `YYYYmmdd_HH-MM-SS`. */
export function timestamp(date: Date): string {
  const [year, month, day] = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => digits(part, 2)).join('-');
  return `${digits(year, 4)}${digits(month, 2)}${digits(day, 2)}_${time}`;
}

/** Local time as `YYYY-mm-dd HH:MM:SS,mmm`, as Python's logging writes it. */
export function logTime(date: Date): string {
  const [year, month, day] = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => digits(part, 2)).join(':');
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)} ${time},${digits(date.getMilliseconds(), 3)}`;
}

function digits(value: number, length: number): string {
  return String(value).padStart(length, '0');
}

function orUserError<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** For a file or folder that the file system refuses, and that `option` has named. */
export function cannotWrite(path: string, error: unknown, option = '--root_dir'): UserError {
  const mend = `Choose another ${option} or make room there`;
  return new UserError(`Cannot write to '${path}'`, { found: messageOf(error), mend }, { cause: error });
}
