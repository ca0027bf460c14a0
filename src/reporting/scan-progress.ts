// How far a look at many files has come, on stderr, so that a command's own output stays clean: a bar in a terminal, a
// plain line now and then anywhere else.
import { SingleBar } from 'cli-progress';
import type { ScreenStream } from './progress.js';

export interface ScanProgress {
  /** `done` of `total` files have passed the phase `title`; another title begins another phase. */
  update(title: string, done: number, total: number): void;
  /** Takes the bar away. */
  close(): void;
}

const plainIntervalMs = 60_000;
const drawIntervalMs = 100;

export function createScanProgress(stream: ScreenStream, nowMs: () => number = () => performance.now()): ScanProgress {
  return stream.isTTY && process.env['TERM'] !== 'dumb' ? barProgress(stream, nowMs) : plainProgress(stream, nowMs);
}

function barProgress(stream: ScreenStream, nowMs: () => number): ScanProgress {
  let shown: { title: string; bar: SingleBar; drawnMs: number } | undefined;
  const close = () => {
    shown?.bar.stop();
    shown = undefined;
  };
  return {
    update: (title, done, total) => {
      if (shown?.title !== title) {
        close();
        shown = { title, bar: new SingleBar({ ...barOptions, stream }), drawnMs: nowMs() };
        shown.bar.start(total, done, { title });
      }
      if (nowMs() - shown.drawnMs < drawIntervalMs) return;
      shown.bar.update(done);
      shown.drawnMs = nowMs();
    },
    close,
  };
}

// The cursor stays, as nobody would bring it back in a program that is killed.
const barOptions = {
  format: '{title} {percentage}%|{bar}| {value}/{total} [{duration_formatted}<{eta_formatted}]',
  barCompleteChar: '█',
  barIncompleteChar: ' ',
  barsize: 24,
  etaBuffer: 100,
  linewrap: true,
  clearOnComplete: true,
  hideCursor: null,
  gracefulExit: false,
};

function plainProgress(stream: ScreenStream, nowMs: () => number): ScanProgress {
  let printedMs = nowMs();
  return {
    update: (title, done, total) => {
      if (nowMs() - printedMs < plainIntervalMs) return;
      stream.write(`${title}: ${done} of ${total} (${Math.floor((done / total) * 100)} %)\n`);
      printedMs = nowMs();
    },
    close: () => {},
  };
}
