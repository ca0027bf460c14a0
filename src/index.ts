// The library: what the command line does, for programs. Nothing heavy is loaded before a function is called.

export type { EvaluationReport } from './commands/evaluate.js';
export { type Explanation, UserError } from './errors.js';
export type { CalibrationBin, CalibrationResult } from './inference/evaluation/calibration.js';
export type { ClassScores, MeanScores, Mistake } from './inference/evaluation/confusion.js';
export type { EvaluationResult } from './inference/evaluation/evaluation.js';
export type { Share } from './inference/evaluation/wilson.js';
export type { Prediction } from './inference/predictions.js';
export { type EvaluateHooks, type EvaluateOptions, evaluate } from './library/evaluate.js';
export { type LoadedModel, loadModel, type ModelOptions, type PredictOptions, predict } from './library/predict.js';
export { type TrainHooks, type TrainOptions, type TrainResult, train } from './library/train.js';
export type { BatchDone, EpochResult, Metrics, Split, TrainingEvent } from './reporting/events.js';
export type { Precision } from './training/precision-choice.js';
export { version } from './version.js';
