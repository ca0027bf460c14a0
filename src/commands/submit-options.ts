// The options of `deep-cnn submit`: a training run's, and what its job asks the scheduler for.

import { arraySize } from '../cluster/job-resources.js';
import {
  flag,
  integer,
  integersFrom,
  memorySize,
  type OptionSpec,
  optionalText,
  type ValuesOf,
} from '../options/spec.js';
import { trainOptions } from '../options.js';

const job = 'Job';

const memory: OptionSpec<number> = {
  ...memorySize({ group: job, help: 'Memory', defaultText: '8gb' }),
  default: () => 8 * 1024,
} as OptionSpec<number>;

const secondsADay = 86_400;
const maxUnits = 100_000;

/** A word that can stand in a `#PBS` or `#SBATCH` line. */
const word = (help: string, type: string) =>
  optionalText({
    group: job,
    help,
    type,
    expected: `a ${type}: letters, digits and _.@:-`,
    isValid: (text) => /^[\w][\w.@:-]*$/.test(text),
  });

export const jobOptions = {
  scheduler: {
    ...optionalText({
      group: job,
      help: 'Who runs the job',
      type: 'pbs|slurm',
      expected: 'pbs or slurm',
      isValid: (text) => text === 'pbs' || text === 'slurm',
    }),
    choices: ['pbs', 'slurm'],
    defaultText: 'whose qsub or sbatch there is',
  },
  walltime: {
    ...trainOptions.time_limit,
    group: job,
    help: 'Length of one job; a run that needs longer goes on in the next job by itself',
    default: () => secondsADay,
    defaultText: '24h',
  } as OptionSpec<number>,
  cpus: integer({
    group: job,
    help: 'Processors',
    default: 2,
    ...integersFrom(1, maxUnits),
  }),
  mem: memory,
  gpus: integer({
    group: job,
    help: 'GPUs, where the cluster has them',
    default: 0,
    ...integersFrom(0, maxUnits),
  }),
  gpu_type: word('Kind of GPU, as the cluster calls it', 'name'),
  array: optionalText({
    group: job,
    help: 'One run for each index: 1-3 trains run_name-1, -2 and -3, with the index as seed unless --seed is given; 0-9:3 and 1-100%5 are possible',
    type: 'range',
    expected: 'a range of indices such as 1-3, 0-9:3 or 1-100%5',
    isValid: (text) => arraySize(text) !== undefined,
  }),
  after: optionalText({
    group: job,
    help: 'Start when this job, or each element of this array, has succeeded',
    type: 'job',
    expected: 'the identifier of a job, as submit prints it',
    isValid: (text) => /^\d+(_\d+|\[\d*\])?(\.[\w.-]+)?$/.test(text),
  }),
  queue: word("The scheduler's queue; Slurm's partition", 'name'),
  partition: word('The same as --queue', 'name'),
  account: word('The account or project that pays', 'name'),
  dry_run: flag({ group: job, help: 'Show the script, and neither write nor submit it', default: false }),
};

/** A job's `gpus` may be 0; a run's are as many, where there are any. */
export const submitOptions = { ...jobOptions, ...trainOptions, gpus: jobOptions.gpus };
export type SubmitValues = ValuesOf<typeof submitOptions>;
