// What training tells the world. Training emits these events and knows nobody who listens; loggers, progress bars and
// result files listen and never reach back.

export type Split = 'train' | 'val' | 'test';

/** Whole-split, per-image means. Precisions are percentages, 0 to 100. */
export interface Metrics {
  loss: number;
  precisionAt1: number;
  precisionAt5: number;
  images: number;
}

export interface EpochResult {
  /** Counts from 1. */
  epoch: number;
  train: Metrics;
  /** Absent when the validation split is empty. */
  validation: Metrics | undefined;
  learningRate: number;
  /** Training and validation together. */
  seconds: number;
  /** Of training alone. */
  imagesPerSecond: number;
}

/** One batch of a pass over images. */
export interface BatchDone {
  /** Batches finished in this pass, this one included. */
  batch: number;
  batches: number;
  /** Images in this batch. */
  images: number;
  /** Mean over the batch. */
  loss: number;
  /** From the end of the previous batch to the end of this one. */
  elapsedMs: number;
  /** Of `elapsedMs`, the time spent waiting for data. */
  waitMs: number;
}

export type TrainingEvent =
  /** `parameters` are the options as the user knows them, underscores and all. */
  | { kind: 'run'; parameters: Readonly<Record<string, unknown>> }
  | {
      kind: 'device';
      device: 'cpu' | 'cuda';
      precision?: 'fp32' | 'bf16' | 'fp16';
      threads?: number;
      tensorflow?: string;
    }
  /** Images in each split; `sha256` stands for their names and labels, in the order of the split. */
  | { kind: 'dataset'; classes: readonly string[]; train: number; validation: number; test: number; sha256: string }
  | { kind: 'data'; split: Split; images: number; classes: number }
  /**
   * What the run starts from: a file or where it was published; undefined for random weights. `newLayer` is drawn anew,
   * since the weights are for other classes.
   */
  | { kind: 'weights'; source: string | undefined; newLayer?: string | undefined }
  /** `trained`: parameters that are not frozen at first. */
  | { kind: 'model'; name: string; parameters: number; trained?: number }
  /** What a frozen backbone makes of the images is kept: of `kept` of `images` by now; all of them take `bytes`. */
  | { kind: 'features'; folder: string; kept: number; images: number; bytes: number }
  /** The run goes on where it stopped. `epoch` counts from 0; `history` holds all epochs that were finished. */
  | { kind: 'resumed'; path: string; epoch: number; step: number; history: readonly EpochResult[] }
  /** Something worth knowing that is in order. */
  | { kind: 'note'; message: string }
  | { kind: 'warning'; message: string }
  /** An image that is left out; told once for each. */
  | { kind: 'bad-image'; path: string; reason: string }
  /** Epochs and batches count from 0 here, as in the progress bar. */
  | { kind: 'epoch-start'; epoch: number; epochs: number; batches: number; learningRate: number }
  | ({ kind: 'step'; epoch: number } & BatchDone)
  | { kind: 'evaluation-start'; split: 'val' | 'test'; batches: number }
  | ({ kind: 'evaluation-step' } & BatchDone)
  | { kind: 'epoch-end'; result: EpochResult }
  /** `step` counts all steps of the run. */
  | { kind: 'checkpoint'; path: string; step: number; seconds: number }
  /** Where else the run can be seen. */
  | { kind: 'tracked'; address: string }
  | { kind: 'saved'; what: string; path: string }
  | { kind: 'trained'; seconds: number }
  | { kind: 'tested'; seconds: number; metrics: Metrics }
  /** The run ends before its end: it has saved, and `command` goes on with it. */
  | { kind: 'stopped'; reason: string; step: number; path: string; command: string }
  /** The run ends here, with an error that is told elsewhere too. */
  | { kind: 'failed'; message: string }
  /** Closes the run; `undefined` where that split was absent. */
  | { kind: 'finished'; train: Metrics; validation: Metrics | undefined; test: Metrics | undefined };

export type Report = (event: TrainingEvent) => void;

/** One listener. `close` is called once, after the last event, also when the run failed. */
export interface Reporter {
  handle(event: TrainingEvent): void;
  close(): void | Promise<void>;
}

/** Joins listeners into one. */
export function combineReporters(reporters: readonly Reporter[]): Reporter {
  return {
    handle: (event) => {
      for (const reporter of reporters) reporter.handle(event);
    },
    // The last one first: it may still have something to tell to those before it.
    close: async () => {
      for (const reporter of [...reporters].reverse()) await reporter.close();
    },
  };
}
