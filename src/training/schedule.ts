// The learning rate of each epoch.

import type { TrainConfig } from '../options.js';

export type ScheduleConfig = Pick<TrainConfig, 'schedule' | 'lr' | 'epochs' | 'warmup'>;

/** `lr` and `epochs` are as given by the user; `epoch` counts from 0 after the warm-up. */
const schedules: Record<TrainConfig['schedule'], (lr: number, epoch: number, epochs: number) => number> = {
  'inverse-time': (lr, epoch, epochs) => lr / (1 + (lr / epochs) * epoch),
  // Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
  cosine: (lr, epoch, epochs) => (lr * (1 + Math.cos((Math.PI * epoch) / epochs))) / 2,
  // A tenth after each third, as torchvision's ResNet recipe (30, 60 of 90 epochs).
  step: (lr, epoch, epochs) => lr * 0.1 ** Math.floor((3 * epoch) / epochs),
  constant: (lr) => lr,
};

/** The learning rate in `epoch`, which counts from 0. In the warm-up it rises in equal steps towards `lr`. */
export function learningRateAt(epoch: number, { schedule, lr, epochs, warmup }: ScheduleConfig): number {
  if (epoch < warmup) return (lr * (epoch + 1)) / (warmup + 1);
  return schedules[schedule](lr, epoch - warmup, epochs - warmup);
}
