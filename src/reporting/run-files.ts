// Where a run writes. The log and the table of results carry the same time stamp; the weights carry none, so that a
// run's name is enough to find them.
import { accessSync, closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.js';

export interface RunFiles {
  /** Exist and are empty after {@link createRunFiles}. */
  log: string;
  results: string;
  /** Not created here. */
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
 * Makes the folders of outputs, and this run's empty log and table of results; a second run in the same second gets
 * `-2` after its time stamp, and so on.
 * @throws UserError when one of them cannot be written.
 */
export function createRunFiles(config: { root_dir: string; run_name: string }, now: Date): RunFiles {
  const [logger, results, models] = ['logger', 'results', 'models'].map((name) =>
    join(config.root_dir, 'outputs', name),
  );
  if (!logger || !results || !models) throw new Error('internal: an output folder is missing');
  for (const folder of [logger, results, models]) {
    orUserError(folder, () => {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.W_OK | constants.X_OK);
    });
  }
  for (let attempt = 1; ; attempt++) {
    const stem = `${config.run_name}${timestamp(now)}${attempt === 1 ? '' : `-${attempt}`}`;
    const files = { log: join(logger, `${stem}.log`), results: join(results, `${stem}.csv`), model: modelFile(config) };
    if (!orUserError(files.log, () => claim(files.log))) continue;
    if (orUserError(files.results, () => claim(files.results))) return files;
    rmSync(files.log);
  }
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

/** Creates the file unless it exists already; says which. */
function claim(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx'));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function orUserError<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new UserError(
      `Cannot write to '${path}'`,
      {
        found: error instanceof Error ? error.message : String(error),
        mend: 'Choose another --root_dir or make room there',
      },
      { cause: error },
    );
  }
}
