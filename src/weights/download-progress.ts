// What downloads say, on stderr, so that a command's own output stays clean: in a terminal a bar, in a job's output file
// a plain line when one starts, each half minute, and at its end.

import { redact } from '../secrets.js';
import { formatBytes } from '../wording.js';

const liveIntervalMs = 100;
const plainIntervalMs = 30_000;
const barCells = 24;

/** How far a download has come. */
export interface DownloadProgress {
  bytesDone(): number;
  totalBytes: number;
}

/** Prints a line of its own, above a bar that is being drawn. */
export function say(text: string): void {
  process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}weights: ${redact(text)}\n`);
}

/** Shows a download as `title` while `work` lasts. */
export async function showDownload<T>(
  title: string,
  { bytesDone, totalBytes }: DownloadProgress,
  work: () => Promise<T>,
): Promise<T> {
  const live = process.stderr.isTTY === true;
  const startMs = performance.now();
  const startBytes = bytesDone();
  const read = () => ({
    done: Math.min(bytesDone(), totalBytes),
    totalBytes,
    startBytes,
    elapsedMs: performance.now() - startMs,
  });
  const draw = () => process.stderr.write(`\r\x1b[Kweights: ${barLine(title, read(), process.stderr.columns ?? 80)}`);
  if (live) draw();
  else say(`downloading ${title} (${formatBytes(totalBytes)}) ...`);
  const timer = setInterval(
    () => {
      const { done } = read();
      if (live) draw();
      else say(`downloading ${title} ... ${formatBytes(done)} of ${formatBytes(totalBytes)}`);
    },
    live ? liveIntervalMs : plainIntervalMs,
  );
  try {
    const result = await work();
    if (live) process.stderr.write('\r\x1b[K');
    say(`downloaded ${title} (${formatBytes(totalBytes)}) in ${(read().elapsedMs / 1000).toFixed(1)} s`);
    return result;
  } catch (error) {
    if (live) process.stderr.write('\r\x1b[K');
    throw error;
  } finally {
    clearInterval(timer);
  }
}

interface Reading {
  done: number;
  totalBytes: number;
  /** What was there before this download began. */
  startBytes: number;
  elapsedMs: number;
}

/** `resnet18  45%|████▌     | 21 MB/47 MB [2 s<3 s, 9.5 MB/s]`, without the bar, then the times, where room is short. */
export function barLine(title: string, { done, totalBytes, startBytes, elapsedMs }: Reading, columns: number): string {
  const share = totalBytes > 0 ? done / totalBytes : 1;
  const bytesPerSecond = elapsedMs > 0 ? ((done - startBytes) / elapsedMs) * 1000 : 0;
  const left = bytesPerSecond > 0 ? `${Math.ceil((totalBytes - done) / bytesPerSecond)} s` : '?';
  const cells = Math.floor(share * barCells);
  const head = `${title} ${String(Math.floor(share * 100)).padStart(3)}%`;
  const bar = `|${'█'.repeat(cells)}${' '.repeat(barCells - cells)}|`;
  const size = ` ${formatBytes(done)}/${formatBytes(totalBytes)}`;
  const times = ` [${Math.floor(elapsedMs / 1000)} s<${left}, ${formatBytes(bytesPerSecond)}/s]`;
  const room = columns - 'weights: '.length - 1;
  const candidates = [head + bar + size + times, head + size + times, head + size, head];
  return candidates.find((line) => line.length <= room) ?? head.slice(0, Math.max(room, 0));
}
