// What a job asks its scheduler for, in the scheduler's own words: qsub(1B) and pbs_resources(7B), sbatch(1).

import type { Job } from './job.js';

export type Scheduler = Job['scheduler'];

export interface JobRequest {
  /** As `jobName` makes it. */
  name: string;
  walltimeSeconds: number;
  cpus: number;
  memoryMegabytes: number;
  gpus: number;
  /** As the site calls it: RTX6000. */
  gpuType: string | undefined;
  /** Indices such as `1-3`, `0-9:3` or `1-100%5`. */
  array: string | undefined;
  /** Also Slurm's partition. */
  queue: string | undefined;
  account: string | undefined;
}

/** The lines at the top of the job's script. */
export function directives(scheduler: Scheduler, request: JobRequest): string[] {
  return scheduler === 'pbs' ? pbsDirectives(request) : slurmDirectives(request);
}

function pbsDirectives(request: JobRequest): string[] {
  const { cpus, gpus, gpuType, memoryMegabytes: memory } = request;
  const chunk = [
    `ncpus=${cpus}`,
    `mem=${memory % 1024 === 0 ? `${memory / 1024}gb` : `${memory}mb`}`,
    ...(gpus > 0 ? [`ngpus=${gpus}`] : []),
    ...(gpuType === undefined ? [] : [`gpu_type=${gpuType}`]),
  ];
  const words = [
    `-N ${request.name}`,
    `-lwalltime=${clock(request.walltimeSeconds)}`,
    `-lselect=1:${chunk.join(':')}`,
    '-j oe',
    request.array && `-J ${request.array}`,
    request.queue && `-q ${request.queue}`,
    request.account && `-A ${request.account}`,
  ];
  return words.flatMap((word) => (word ? `#PBS ${word}` : []));
}

function slurmDirectives(request: JobRequest): string[] {
  const { gpus, gpuType, memoryMegabytes: memory } = request;
  const words = [
    `--job-name=${request.name}`,
    `--time=${clock(request.walltimeSeconds)}`,
    `--ntasks=1 --cpus-per-task=${request.cpus} --mem=${memory % 1024 === 0 ? `${memory / 1024}G` : `${memory}M`}`,
    '--requeue --open-mode=append',
    gpus > 0 && `--gres=gpu:${gpuType === undefined ? '' : `${gpuType}:`}${gpus}`,
    request.array && `--array=${request.array}`,
    request.queue && `--partition=${request.queue}`,
    request.account && `--account=${request.account}`,
  ];
  return words.flatMap((word) => (word ? `#SBATCH ${word}` : []));
}

/** A run's name as both schedulers bear it: letters, digits, `_` and `-`, a letter first. PBS knows no dot in names. */
export function jobName(runName: string): string {
  const plain = runName.replace(/[^A-Za-z0-9_-]/g, '_');
  return (/^[A-Za-z]/.test(plain) ? plain : `run_${plain}`).slice(0, 60);
}

/** How many jobs an array has; undefined where the text is no array. */
export function arraySize(text: string): number | undefined {
  const match = /^(\d{1,9})-(\d{1,9})(?::([1-9]\d{0,8}))?(?:%[1-9]\d{0,8})?$/.exec(text);
  if (!match) return undefined;
  const [first, last, step] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 1)];
  // PBS takes no array of one.
  return first < last ? Math.floor((last - first) / step) + 1 : undefined;
}

/** The identifiers of a PBS array's elements, `12[1].server` and so on, for the indices that qstat tells: `1-3,7`. */
export function elementIds(arrayId: string, indices: string): string[] {
  const numbers = indices.split(',').flatMap((part) => {
    const [, first, last, step] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part.trim()) ?? [];
    if (first === undefined) return [];
    const found: number[] = [];
    for (let index = Number(first); index <= Number(last ?? first); index += Number(step ?? 1)) found.push(index);
    return found;
  });
  return numbers.map((index) => arrayId.replace('[]', `[${index}]`));
}

/** `HH:MM:SS`, which both read. */
function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  return [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}
