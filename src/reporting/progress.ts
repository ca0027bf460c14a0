// Progress on the screen: one bar an epoch in a terminal, a plain line now and then anywhere else. A training step
// blocks the event loop, so a bar is drawn when a step ends and not by a timer alone.
import { MultiBar } from 'cli-progress';
import { barLine, type Progress } from './bar-line.js';
import type { Reporter } from './events.js';
import { messagesFor } from './messages.js';
import { Meter } from './meter.js';

/** What is needed of process.stdout. */
export type ScreenStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

export interface ScreenSettings {
  stream: ScreenStream;
  nowMs: () => number;
  /** A terminal that knows no cursor movement gets plain lines. */
  isDumb: boolean;
}

export interface Screen extends Reporter {
  /** Prints a line; a bar that is being drawn stays below it. */
  print(line: string): void;
}

/** Shows a run on the screen: its messages, but for the long list of parameters, and the progress of each epoch. */
export function createScreen({ stream, nowMs, isDumb }: ScreenSettings): Screen {
  const view = stream.isTTY && !isDumb ? barView(stream, nowMs) : plainView(stream, nowMs);
  let meter: Meter | undefined;
  const finish = () => {
    if (meter !== undefined) view.finish(meter.read());
    meter = undefined;
  };
  return {
    print: (line) => view.print(line),
    handle: (event) => {
      if (event.kind === 'epoch-start') {
        finish();
        const started = new Meter(event, nowMs);
        meter = started;
        view.start(() => started.read());
      } else if (event.kind === 'step' && meter !== undefined) {
        meter.add(event);
        if (event.batch >= event.batches) finish();
        else view.update(meter.read());
      } else if (event.kind === 'validating' || event.kind === 'epoch-end' || event.kind === 'finished') {
        finish();
      }
      if (event.kind === 'run') return;
      for (const { level, text } of messagesFor(event)) view.print(level === 'INFO' ? text : `${level}: ${text}`);
    },
    close: finish,
  };
}

interface View {
  start(read: () => Progress): void;
  update(progress: Progress): void;
  finish(progress: Progress): void;
  print(line: string): void;
}

const drawIntervalMs = 100;

function barView(stream: ScreenStream, nowMs: () => number): View {
  let bars: MultiBar | undefined;
  let drawnMs = 0;
  const draw = () => {
    bars?.update();
    drawnMs = nowMs();
  };
  return {
    start: (read) => {
      // The last column stays free: a line that fills it makes some terminals wrap. Neither the cursor nor the wrapping
      // of lines is switched off, as nobody would switch it on again in a run that is killed.
      const format = () => barLine(read(), (stream.columns || 80) - 1);
      bars = new MultiBar({ stream, format, fps: 1000 / drawIntervalMs, linewrap: true, forceRedraw: true });
      bars.create(1, 0);
      draw();
    },
    update: () => {
      if (nowMs() - drawnMs >= drawIntervalMs) draw();
    },
    finish: () => {
      bars?.stop();
      bars = undefined;
    },
    print: (line) => {
      if (bars === undefined) {
        stream.write(`${line}\n`);
        return;
      }
      bars.log(`${line}\n`);
      draw();
    },
  };
}

const lineIntervalMs = 60_000;
const plainWidth = 100;

function plainView(stream: ScreenStream, nowMs: () => number): View {
  let printedMs = Number.NEGATIVE_INFINITY;
  const print = (line: string) => stream.write(`${line}\n`);
  return {
    start: () => {},
    update: (progress) => {
      if (nowMs() - printedMs < lineIntervalMs) return;
      print(barLine(progress, plainWidth));
      printedMs = nowMs();
    },
    finish: (progress) => print(barLine(progress, plainWidth)),
    print,
  };
}
