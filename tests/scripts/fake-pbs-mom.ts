// The stand-in for pbs_mom, which runs a job; fake-pbs.ts tells what it imitates.

import { spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FakeJob, type FakeJobs, sequenceOf } from './fake-pbs-job.js';

/** How long what a job leaves running may take to end; OpenPBS gives it 12 or 15 s, which a busy machine may need. */
const killSeconds = 120;
/** How long the run itself outlives a requeued job. */
const lostSeconds = 0.2;
const killedForWalltime = -29;

/** Runs a job when the one before it has ended, and again as often as it is requeued. */
export async function runJob(top: string, jobs: FakeJobs, id: string): Promise<void> {
  process.umask(0o077);
  const { depend } = jobs.read(id);
  while (depend !== undefined && jobs.ids().some((other) => isMeant(other, depend) && jobs.read(other).state !== 'F')) {
    if (jobs.takeWish(id) === 'delete') return jobs.setProgress(id, { runs: 0, state: 'F' });
    await sleep(50);
  }
  for (let runs = 1; ; runs++) {
    const startedAt = new Date().toISOString();
    jobs.setProgress(id, { runs, state: 'R', startedAt });
    const exitCode = await runOnce(top, jobs, jobs.read(id));
    if (exitCode !== 'rerun') return jobs.setProgress(id, { runs, state: 'F', startedAt, exitCode });
  }
}

const isMeant = (id: string, wanted: string) =>
  id === wanted || (wanted.includes('[]') && id.replace(/\[\d+\]/, '[]') === wanted);

async function runOnce(top: string, jobs: FakeJobs, job: FakeJob): Promise<number | 'rerun'> {
  const folder = jobs.folderOf(job.id);
  const script = join(folder, `${job.id}.SC`);
  writeFileSync(script, job.script, { mode: 0o700 });
  const spool = join(folder, `${job.id}.OU`);
  const output = openSync(spool, 'a');
  const shell = spawn('/bin/bash', [], {
    argv0: '-bash',
    cwd: join(top, 'home'),
    detached: true,
    stdio: ['pipe', output, output],
    env: environmentOf(top, job, folder),
  });
  closeSync(output);
  shell.stdin?.end(`${script.replace(/[[\]]/g, '\\$&')}\n`);
  const session = shell.pid ?? 0;
  let shellCode: number | undefined;
  shell.on('exit', (code, signal) => {
    shellCode = code ?? 0x100 + (signal === null ? 0 : constants.signals[signal]);
  });

  let term: { atMs: number; isLimit: boolean } | undefined;
  for (;;) {
    const wish = jobs.takeWish(job.id);
    if (wish === 'rerun' && term === undefined) {
      signalSession(session, 'SIGKILL', { spares: 'node' });
      setTimeout(() => signalSession(session, 'SIGKILL'), lostSeconds * 1000);
      return 'rerun';
    }
    if (shellCode !== undefined && (term === undefined || processesOf(session).length === 0)) break;
    if (wish !== undefined && term === undefined) {
      term = { atMs: performance.now(), isLimit: wish === 'limit' };
      const walltime = clock(job.resources['walltime'] ?? '100:00:00');
      const message = `=>> PBS: job killed: walltime ${walltime + 1} exceeded limit ${walltime}\n`;
      if (term.isLimit) appendFileSync(spool, message);
      signalSession(session, 'SIGTERM');
    }
    if (term !== undefined && performance.now() - term.atMs >= killSeconds * 1000) signalSession(session, 'SIGKILL');
    await sleep(20);
  }
  signalSession(session, 'SIGKILL');
  copyFileSync(
    spool,
    join(job.workdir, `${job.name}.o${sequenceOf(job.id)}${job.index === undefined ? '' : `.${job.index}`}`),
  );
  return term?.isLimit ? killedForWalltime : shellCode;
}

/** The few variables of MOM's own, those that came with the job, and what is known of the job. */
function environmentOf(top: string, job: FakeJob, folder: string): NodeJS.ProcessEnv {
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const nodes = join(folder, 'nodes');
  writeFileSync(nodes, 'node01\n');
  const cpus = /ncpus=(\d+)/.exec(job.resources['select'] ?? '')?.[1] ?? '1';
  return {
    PATH: '/bin:/usr/bin',
    FAKE_PBS: top,
    ...job.variables,
    HOME: join(top, 'home'),
    LOGNAME: 'student',
    USER: 'student',
    SHELL: '/bin/bash',
    TMPDIR: temporary,
    NCPUS: cpus,
    OMP_NUM_THREADS: cpus,
    ENVIRONMENT: 'BATCH',
    PBS_ENVIRONMENT: 'PBS_BATCH',
    PBS_JOBID: job.id,
    PBS_JOBNAME: job.name,
    PBS_QUEUE: 'workq',
    PBS_NODEFILE: nodes,
    PBS_NODENUM: '0',
    PBS_TASKNUM: '1',
    PBS_JOBDIR: join(top, 'home'),
    ...(job.index !== undefined && {
      PBS_ARRAY_INDEX: String(job.index),
      PBS_ARRAY_ID: job.id.replace(/\[\d+\]/, '[]'),
    }),
  };
}

/** To every process of the session but those of one name. */
function signalSession(session: number, signal: NodeJS.Signals, { spares = '' } = {}): void {
  for (const { pid, name } of processesOf(session)) {
    if (name === spares) continue;
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}

function processesOf(session: number): { pid: number; name: string }[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const [, name = '', rest = ''] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      const [state, , , itsSession] = rest.split(' ');
      return state !== 'Z' && itsSession === String(session) ? [{ pid: Number(pid), name }] : [];
    } catch {
      return [];
    }
  });
}

function clock(text: string): number {
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}
