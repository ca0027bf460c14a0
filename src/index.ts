// The library: what the command line does, for programs. Nothing heavy is loaded before a function is called.

export { type Explanation, UserError } from './errors.js';
export { type TrainHooks, type TrainOptions, type TrainResult, train } from './library/train.js';
export type { BatchDone, EpochResult, Metrics, Split, TrainingEvent } from './reporting/events.js';
export { version } from './version.js';
