// A made-up run for the tests of reporting, and a screen that remembers.
import { Writable } from 'node:stream';
import type { Metrics, TrainingEvent } from '#src/reporting/events.js';

export function metrics(loss: number): Metrics {
  return { loss, precisionAt1: 12.345678, precisionAt5: 100, images: 48 };
}

/** Local time, as the log and the file names tell it. */
export const noon = new Date(2026, 10, 24, 12, 0, 0, 123);

export const opening: TrainingEvent[] = [
  {
    kind: 'run',
    parameters: { epochs: 2, lr: 1e-3, model: 'resnet101', wandb: false, weights: undefined, data_dir: '/a b' },
  },
  { kind: 'device', device: 'cpu' },
  { kind: 'data', split: 'train', images: 48, classes: 5 },
  { kind: 'data', split: 'val', images: 12, classes: 5 },
  { kind: 'data', split: 'test', images: 20, classes: 5 },
  { kind: 'weights', source: 'hf:timm/resnet101.tv_in1k:model.safetensors' },
  { kind: 'model', name: 'resnet101', parameters: 42510405 },
];

export function epochStart(epoch: number, batches: number): TrainingEvent {
  return { kind: 'epoch-start', epoch, epochs: 2, batches, learningRate: 1e-3 };
}

export function step(epoch: number, batch: number, batches: number, changed = {}): TrainingEvent {
  return { kind: 'step', epoch, batch, batches, images: 128, loss: 3.0612, elapsedMs: 500, waitMs: 15, ...changed };
}

export function evaluationStep(batch: number, batches: number): TrainingEvent {
  return { kind: 'evaluation-step', batch, batches, images: 128, loss: 2.5, elapsedMs: 500, waitMs: 15 };
}

export function epochEnd(epoch: number, validation: Metrics | undefined): TrainingEvent {
  const result = {
    epoch,
    train: metrics(1.23456),
    validation,
    learningRate: 1e-3,
    seconds: 12.34567,
    imagesPerSecond: 18.8123,
  };
  return { kind: 'epoch-end', result };
}

export const closing: TrainingEvent[] = [
  { kind: 'trained', seconds: 12.3456 },
  { kind: 'tested', seconds: 1.2, metrics: metrics(1.5) },
  { kind: 'saved', what: 'weights', path: 'outputs/models/default.safetensors' },
  { kind: 'finished', train: metrics(1.23456), validation: metrics(2.5), test: metrics(1.5) },
];

/** A screen of the given width, or a file. */
export class FakeScreen extends Writable {
  isTTY: boolean;
  columns?: number;
  written = '';

  constructor(columns?: number) {
    super();
    this.isTTY = columns !== undefined;
    if (columns !== undefined) this.columns = columns;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written += chunk.toString();
    done();
  }

  /** What a terminal would show, for output that moves within the last line only. */
  get lines(): string[] {
    let line = '';
    let column = 0;
    const lines: string[] = [];
    for (const [piece] of this.written.matchAll(/\p{Cc}\[\d*[A-Za-z]|./gsu)) {
      if (piece === '\n') {
        lines.push(line.trimEnd());
        line = '';
        column = 0;
      } else if (piece === '\x1b[1G') column = 0;
      else if (piece === '\x1b[0K' || piece === '\x1b[0J') line = line.slice(0, column);
      else if (piece === '\x1b[2K') line = '';
      else if (piece.startsWith('\x1b')) throw new Error(`the test knows no ${JSON.stringify(piece)}`);
      else {
        line = line.padEnd(column).slice(0, column) + piece + line.slice(column + 1);
        column += 1;
      }
    }
    return line === '' ? lines : [...lines, line.trimEnd()];
  }
}
