// The words in which a run's events are told, on the screen as in the log. Scripts read these lines: keep them.
import { oneLine } from '../errors.js';
import { assignmentText } from '../options/option-text.js';
import { redact } from '../secrets.js';
import { formatBytes } from '../wording.js';
import type { EpochResult, Metrics, TrainingEvent } from './events.js';

export type Level = 'INFO' | 'WARNING' | 'ERROR';

export interface Message {
  level: Level;
  text: string;
}

/** What is to be said of an event, each in one line and without secrets; nothing for those that only move the progress bar. */
export function messagesFor(event: TrainingEvent): Message[] {
  return wordsFor(event).map(({ level, text }) => ({ level, text: oneLine(redact(text)) }));
}

function wordsFor(event: TrainingEvent): Message[] {
  switch (event.kind) {
    case 'run':
      return info(`Model running with parameters: ${parameterList(event.parameters)}`);
    case 'device':
      return info(
        `Running on ${event.device} device${event.precision && event.precision !== 'fp32' ? ` in ${event.precision}` : ''}`,
      );
    case 'data':
      return info(`There are ${event.images} images in the ${event.split} DataLoader`);
    case 'weights':
      return info(weightsLine(event));
    case 'model':
      return info(modelLine(event));
    case 'features':
      return info(
        `Features of ${event.kept} of ${event.images} images are in ${event.folder}; those of all take ${formatBytes(event.bytes)}`,
      );
    case 'resumed':
      return info(`Resumed from ${event.path} at epoch ${event.epoch}, after step ${event.step}`);
    case 'stopped':
      return info(
        `Stopped by ${event.reason} after step ${event.step}, saved to ${event.path}. Go on with: ${event.command}`,
      );
    case 'bad-image':
      return [{ level: 'WARNING', text: `Left out ${event.path}: ${event.reason}` }];
    case 'note':
      return info(event.message);
    case 'warning':
      return [{ level: 'WARNING', text: event.message }];
    case 'failed':
      return [{ level: 'ERROR', text: event.message }];
    case 'evaluation-start':
      return event.split === 'val' ? info('Calculating validation loss') : [];
    case 'epoch-end':
      return info(epochLine(event.result));
    case 'tracked':
      return info(`The run is at ${event.address}`);
    case 'saved':
      return info(`Saved ${event.what} to ${event.path}`);
    case 'trained':
      return info(`Model trained in: ${event.seconds.toFixed(3)} seconds`);
    case 'tested':
      return [
        ...info(`Model tested in: ${event.seconds.toFixed(3)} seconds`),
        ...info(`Test | test_loss: ${loss(event.metrics)} | ${precisions('test', event.metrics)}`),
      ];
    case 'finished':
      return info(`LOSS train ${loss(event.train)} valid ${loss(event.validation)} test ${loss(event.test)}`);
    case 'dataset':
    case 'checkpoint':
    case 'epoch-start':
    case 'step':
    case 'evaluation-step':
      return [];
  }
}

function info(text: string): Message[] {
  return [{ level: 'INFO', text }];
}

function weightsLine({ source, newLayer }: Extract<TrainingEvent, { kind: 'weights' }>): string {
  if (source === undefined) return 'Weights are random';
  return `Weights from ${source}${newLayer === undefined ? '' : `; the last layer, ${newLayer}, is new`}`;
}

function modelLine({ parameters, trained = parameters }: Extract<TrainingEvent, { kind: 'model' }>): string {
  const frozen = parameters - trained;
  return `Model loaded with ${parameters} parameters${frozen === 0 ? '' : `, ${frozen} of them frozen`}`;
}

function epochLine({ epoch, train, validation }: EpochResult): string {
  return [
    `Epoch: ${epoch}`,
    `train_loss: ${loss(train)}`,
    ...(validation ? [`val_loss: ${loss(validation)}`] : []),
    precisions('train', train),
    ...(validation ? [precisions('val', validation)] : []),
  ].join(' | ');
}

function precisions(split: string, { precisionAt1, precisionAt5 }: Metrics): string {
  return `${split}_precision@1: ${precisionAt1.toFixed(2)} | ${split}_precision@5: ${precisionAt5.toFixed(2)}`;
}

function loss(metrics: Metrics | undefined): string {
  return metrics === undefined ? 'none' : metrics.loss.toFixed(4);
}

function parameterList(parameters: Readonly<Record<string, unknown>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => assignmentText(name, value))
    .join(', ');
}
