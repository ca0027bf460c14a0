// What a batch job knows of itself: https://slurm.schedmd.com/sbatch.html#lang-output-environment-variables and qsub(1B).

export interface Job {
  scheduler: 'slurm' | 'pbs';
  /** As squeue and qstat take it: `4711`, `4711_3` for an element of a Slurm array, `12.server`, `12[3].server`. */
  id: string;
  /** The element's own index; undefined outside arrays. */
  arrayIndex: number | undefined;
  /** For sentences: `Slurm job 4711_3`. */
  title: string;
}

/** The batch job in which this process runs; undefined outside jobs, and where the job's id is no id. */
export function describeJob(env: NodeJS.ProcessEnv = process.env): Job | undefined {
  return slurmJob(env) ?? pbsJob(env);
}

function slurmJob(env: NodeJS.ProcessEnv): Job | undefined {
  const { SLURM_JOB_ID: own, SLURM_ARRAY_JOB_ID: array, SLURM_ARRAY_TASK_ID: task } = env;
  if (!isNumber(own)) return undefined;
  // One element of an array bears the number of the whole array: asked by that, squeue answers for every element.
  const isElement = isNumber(array) && isNumber(task);
  const id = isElement ? `${array}_${task}` : own;
  return { scheduler: 'slurm', id, arrayIndex: isElement ? Number(task) : undefined, title: `Slurm job ${id}` };
}

function pbsJob(env: NodeJS.ProcessEnv): Job | undefined {
  const id = env['PBS_JOBID'];
  // Checked, since the id becomes an argument of qstat: `-x` would be an option.
  if (id === undefined || !/^\d+(-\d+|\[\d+\])?(\.[\w.-]+)?$/.test(id)) return undefined;
  const index = env['PBS_ARRAY_INDEX'] ?? env['PBS_ARRAYID'];
  return { scheduler: 'pbs', id, arrayIndex: isNumber(index) ? Number(index) : undefined, title: `PBS job ${id}` };
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text);
}
