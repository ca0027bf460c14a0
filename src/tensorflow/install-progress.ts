// What set-up says while it works: on stderr, so that a command's own output stays clean. In a terminal one line a step,
// kept up to date; in a file a plain line when a step starts and one every half minute.

import { formatBytes } from '../wording.js';

const liveIntervalMs = 200;
const plainIntervalMs = 30_000;

/** How far a step has come, in bytes. */
export interface Progress {
  bytesDone(): number;
  totalBytes?: number;
}

/** Prints a line of its own. */
export function say(text: string): void {
  process.stderr.write(`set-up: ${text}\n`);
}

/** Runs `work` as a step that is shown as `text` while it lasts, with its time at the end. */
export async function showStep<T>(text: string, work: () => Promise<T>, progress?: Progress): Promise<T> {
  const live = process.stderr.isTTY === true;
  const startMs = performance.now();
  const seconds = () => `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
  const show = (detail: string) => process.stderr.write(live ? `\r\x1b[Kset-up: ${text} ... ${detail}` : '');
  if (live) show('');
  else say(`${text} ...`);

  const timer = setInterval(
    () => {
      const detail = progress ? describe(progress) : seconds();
      if (live) show(detail);
      else say(`${text} ... ${detail}`);
    },
    live ? liveIntervalMs : plainIntervalMs,
  );
  try {
    const result = await work();
    if (live) show(`${seconds()}\n`);
    return result;
  } catch (error) {
    if (live) process.stderr.write('\r\x1b[K');
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function describe({ bytesDone, totalBytes }: Progress): string {
  const done = formatBytes(bytesDone());
  return totalBytes === undefined ? done : `${done} of ${formatBytes(totalBytes)}`;
}
