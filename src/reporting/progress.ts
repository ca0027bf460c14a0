// Progress on the screen: one bar an epoch in a terminal, a plain line now and then anywhere else. A training step
// blocks the event loop, so a bar is drawn when a step ends and not by a timer alone.
import { MultiBar } from 'cli-progress';
import { barLine, type Progress } from './bar-line.js';
import type { Reporter, TrainingEvent } from './events.js';
import { messagesFor } from './messages.js';
import { Meter, type Pass } from './meter.js';

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
    if (meter !== undefined) view.finish(meter.read(), meter.isTransient);
    meter = undefined;
  };
  const begin = (pass: Pass) => {
    const begun = new Meter(pass, nowMs);
    meter = begun;
    view.start(() => begun.read(), pass.isTransient);
  };
  return {
    print: (line) => view.print(line),
    handle: (event) => {
      if ((event.kind === 'step' || event.kind === 'evaluation-step') && meter !== undefined) {
        meter.add(event);
        if (event.batch >= event.batches) finish();
        else view.update(meter.read());
        return;
      }
      const pass = passOf(event);
      if (pass !== undefined || endsPass.has(event.kind)) finish();
      // The parameters are long, and an error is told where the program ends.
      if (event.kind !== 'run' && event.kind !== 'failed') {
        for (const { level, text } of messagesFor(event)) view.print(level === 'INFO' ? text : `${level}: ${text}`);
      }
      if (pass !== undefined) begin(pass);
    },
    close: finish,
  };
}

const endsPass: ReadonlySet<TrainingEvent['kind']> = new Set(['epoch-end', 'tested', 'finished', 'stopped', 'failed']);

/** The pass over images that an event begins, if it does. */
function passOf(event: TrainingEvent): Pass | undefined {
  if (event.kind === 'epoch-start')
    return { title: `Epoch ${event.epoch}`, batches: event.batches, isTransient: false };
  if (event.kind !== 'evaluation-start') return undefined;
  return { title: event.split === 'val' ? 'Validation' : 'Test', batches: event.batches, isTransient: true };
}

interface View {
  start(read: () => Progress, isTransient: boolean): void;
  update(progress: Progress): void;
  finish(progress: Progress, isTransient: boolean): void;
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
    start: (read, isTransient) => {
      // The last column stays free: a line that fills it makes some terminals wrap. Neither the cursor nor the wrapping
      // of lines is switched off, as nobody would switch it on again in a run that is killed.
      const format = () => barLine(read(), (stream.columns || 80) - 1);
      const fps = 1000 / drawIntervalMs;
      bars = new MultiBar({ stream, format, fps, linewrap: true, forceRedraw: true, clearOnComplete: isTransient });
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
    start: (_, isTransient) => {
      if (isTransient) printedMs = nowMs();
    },
    update: (progress) => {
      if (nowMs() - printedMs < lineIntervalMs) return;
      print(barLine(progress, plainWidth));
      printedMs = nowMs();
    },
    finish: (progress, isTransient) => {
      if (!isTransient) print(barLine(progress, plainWidth));
    },
    print,
  };
}
