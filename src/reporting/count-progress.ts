// How many images are done where nobody knows how many there will be: a line that changes in a terminal, a line a minute
// anywhere else.

import type { ScreenStream } from './progress.js';

export interface CountProgress {
  update(done: number): void;
  /** Takes the line away. */
  close(): void;
}

const drawIntervalMs = 100;
const plainIntervalMs = 60_000;

export function createCountProgress(
  stream: ScreenStream,
  title: string,
  nowMs: () => number = () => performance.now(),
): CountProgress {
  const isScreen = stream.isTTY === true && process.env['TERM'] !== 'dumb';
  const startedMs = nowMs();
  let toldMs = isScreen ? Number.NEGATIVE_INFINITY : startedMs;
  /** Characters of the line that stands there. */
  let width = 0;
  const overwrite = (line: string) => {
    stream.write(`\r${line.padEnd(width)}`);
    width = line.length;
  };
  return {
    update: (done) => {
      if (nowMs() - toldMs < (isScreen ? drawIntervalMs : plainIntervalMs)) return;
      toldMs = nowMs();
      const perSecond = (1000 * done) / Math.max(1, toldMs - startedMs);
      const line = `${title}: ${done} images, ${perSecond.toFixed(0)} a second`;
      if (isScreen) overwrite(line);
      else stream.write(`${line}\n`);
    },
    close: () => {
      if (width === 0) return;
      overwrite('');
      stream.write('\r');
    },
  };
}
