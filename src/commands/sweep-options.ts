// The options of `deep-cnn sweep`: a sweep's own, what its jobs ask the scheduler for, and those of training for every trial.

import { bareOrText, integer, integersFrom, optionalText, type ValuesOf } from '../options/spec.js';
import { trainOptions } from '../options.js';
import { jobOptions } from './submit-options.js';

const group = 'Sweep';
const { scheduler: _, array: __, ...jobs } = jobOptions;

export const sweepOptions = {
  run_cap: {
    ...integer({
      group,
      help: 'Trials in all',
      default: 0,
      ...integersFrom(1),
    }),
    defaultText: "the file's",
  },
  storage: optionalText({
    group,
    help: "Optuna's URL of a database, such as postgresql://user@host/optuna, in place of a journal file in outputs/sweeps",
    type: 'url',
  }),
  submit: bareOrText({
    group,
    help: 'Work in jobs of PBS or Slurm; bare, in those of whichever is here',
    type: 'pbs|slurm',
    expected: 'pbs or slurm',
    isValid: (text) => text === 'pbs' || text === 'slurm',
    bare: 'auto',
  }),
  parallel: integer({
    group,
    help: 'With --submit, jobs that work on the sweep at the same time',
    default: 1,
    ...integersFrom(1, 1000),
  }),
  ...jobs,
  ...trainOptions,
  gpus: jobs.gpus,
};

export type SweepValues = ValuesOf<typeof sweepOptions>;

/** Options that say nothing of a sweep without jobs. */
export const ofJobsAlone: readonly string[] = ['parallel', ...Object.keys(jobs).filter((name) => name !== 'gpus')];
