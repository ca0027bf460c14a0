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
import { type FakeJob, folderOf, home, jobIds, readJob, sequenceOf, speed, updateJob } from './fake-pbs-job.js';

/** Where the limit is noticed, as a part of the walltime: MOM looks at its jobs only now and then. */
const noticed = 1.35;
const killSeconds = { delete: 15, limit: 12 };
const killedForWalltime = -29;

/** Runs a job when the one before it has ended, and again as often as it is requeued. */
export async function runJob(id: string): Promise<void> {
  process.umask(0o077);
  const { depend } = readJob(id);
  while (depend !== undefined && jobIds().some((other) => isMeant(other, depend) && readJob(other).state !== 'F')) {
    await sleep(50);
  }
  for (;;) {
    const { runs } = readJob(id);
    const startedAt = new Date().toISOString();
    const code = await runOnce(updateJob(id, { runs: runs + 1, state: 'R', startedAt, wish: undefined }));
    if (code === 'rerun') continue;
    updateJob(id, { state: 'F', exitCode: code });
    return;
  }
}

const isMeant = (id: string, wanted: string) =>
  id === wanted || (wanted.includes('[]') && id.replace(/\[\d+\]/, '[]') === wanted);

async function runOnce(job: FakeJob): Promise<number | 'rerun'> {
  const folder = folderOf(job.id);
  const script = join(folder, `${job.id}.SC`);
  writeFileSync(script, job.script, { mode: 0o700 });
  const spool = join(folder, `${job.id}.OU`);
  const output = openSync(spool, 'a');
  const shell = spawn('/bin/bash', [], {
    argv0: '-bash',
    cwd: join(home, 'home'),
    detached: true,
    stdio: ['pipe', output, output],
    env: environmentOf(job, join(folder, 'tmp')),
  });
  closeSync(output);
  shell.stdin?.end(`${script.replace(/[[\]]/g, '\\$&')}\n`);
  const session = shell.pid ?? 0;
  let shellCode: number | undefined;
  shell.on('exit', (code, signal) => {
    shellCode = code ?? 0x100 + (signal === null ? 0 : constants.signals[signal]);
  });

  const walltime = clock(job.resources['walltime'] ?? '100:00:00');
  const startedMs = performance.now();
  let term: { at: number; why: 'delete' | 'limit' } | undefined;
  for (;;) {
    const elapsed = ((performance.now() - startedMs) / 1000) * speed;
    const { wish } = readJob(job.id);
    if (wish === 'rerun') {
      signalSession(session, 'SIGKILL', { spares: 'node' });
      setTimeout(() => signalSession(session, 'SIGKILL'), 2000 / speed);
      return 'rerun';
    }
    if (shellCode !== undefined && (term === undefined || processesOf(session).length === 0)) break;
    if (term === undefined && (wish === 'delete' || elapsed >= walltime * noticed)) {
      term = { at: elapsed, why: wish === 'delete' ? 'delete' : 'limit' };
      const passed = Math.round(walltime * noticed);
      const message = `=>> PBS: job killed: walltime ${passed} exceeded limit ${walltime}\n`;
      if (term.why === 'limit') appendFileSync(spool, message);
      signalSession(session, 'SIGTERM');
    }
    if (term !== undefined && elapsed >= term.at + killSeconds[term.why]) signalSession(session, 'SIGKILL');
    await sleep(20);
  }
  signalSession(session, 'SIGKILL');
  copyFileSync(
    spool,
    join(job.workdir, `${job.name}.o${sequenceOf(job.id)}${job.index === undefined ? '' : `.${job.index}`}`),
  );
  return term?.why === 'limit' ? killedForWalltime : shellCode;
}

/** The few variables of MOM's own, those that came with the job, and what is known of the job. */
function environmentOf(job: FakeJob, temporary: string): NodeJS.ProcessEnv {
  mkdirSync(temporary, { recursive: true });
  const nodes = join(folderOf(job.id), 'nodes');
  writeFileSync(nodes, 'node01\n');
  const cpus = /ncpus=(\d+)/.exec(job.resources['select'] ?? '')?.[1] ?? '1';
  return {
    PATH: '/bin:/usr/bin',
    FAKE_PBS: home,
    FAKE_PBS_SPEED: String(speed),
    ...job.variables,
    HOME: join(home, 'home'),
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
    PBS_JOBDIR: join(home, 'home'),
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
