// A small project under a stand-in for OpenPBS, of which there is no package to test with. The job scripts are the real
// ones; the trainer is a stand-in too, which saves a number of steps where a run has its checkpoint, and stops in time as
// the real one does. No clock decides what happens, so that a busy machine changes nothing: the trainer stops after a
// number of steps, and a walltime is over when the test says so.
//
// What the scheduler does is what OpenPBS's source says and was seen of version 23.06:
// - A login shell in the user's home leads the job's session and reads one line, the path of the script's copy in a spool
//   folder, which therefore is $0. The umask is 077. What a job prints is in the submission's folder when it has ended,
//   as `name.o1`, or `name.o1.2` in an array.
// - A job has variables of -v, PBS_O_* of the submitting shell, and MOM's. qsub and qstat are on PATH by the shell's
//   profile alone.
// - Before the walltime there is no signal. Some time after it, and at qdel, every process of the session gets TERM, so
//   that the login shell ends; the others have some time before KILL. The exit status is -29 for the walltime, 271 for
//   qdel, whatever the script returns. When the login shell ends by itself, KILL follows for what is left.
// - qrerun kills and starts the script again from the top. Here the run itself lives on for a moment, as where a node has
//   lost its server.
// - qsub refuses carriage returns, unknown resources, names of jobs with a dot, and -v with a variable that is not there.
//   qstat breaks lines of more than 79 columns, and knows finished jobs only with -x.

import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type FakeJob, FakeJobs } from './fake-pbs-job.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const program = fileURLToPath(new URL('./fake-pbs-program.js', import.meta.url));
const trainer = `
const fs = require('node:fs');
const args = process.argv.slice(2);
const option = (name) => args.find((word) => word.startsWith('--' + name + '='))?.split('=').slice(1).join('=');
const isProgress = args[0] === 'submit';
const run = isProgress ? args[2] : option('run_name');
const folder = 'outputs/checkpoints/' + run;
const file = folder + '/last';
const plan = JSON.parse(fs.readFileSync('plan.json', 'utf8'));
const saved = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : undefined;
if (isProgress) {
  if (saved !== undefined) console.log('steps ' + saved + ', ' + (saved >= plan.steps ? 'complete' : 'unfinished'));
  process.exit();
}
const say = (text) => fs.appendFileSync('calls', text + '\\n');
const begin = () => say('train ' + args.join(' ') + ' | ' + JSON.stringify({ cwd: process.cwd(), FLAVOUR: process.env.FLAVOUR, id: process.env.PBS_JOBID }));
if (plan.exit) {
  begin();
  process.exit(plan.exit);
}
fs.mkdirSync(folder, { recursive: true });
let step = saved ?? 0;
const save = (code, why) => {
  fs.writeFileSync(file, String(step));
  say(why + ' ' + run + ' at ' + step);
  process.exit(code);
};
process.on('SIGTERM', () => save(75, 'signal'));
begin();
const last = step + (plan.perJob ?? Infinity);
setInterval(() => {
  if (step >= last) save(75, 'deadline');
  step += 1;
  if (step >= plan.steps) save(0, 'done');
}, 20);
`;

export interface FakeCluster {
  readonly project: string;
  /** What the trainer does: so many steps in all, after so many of them in one job it stops in time; or an exit code. */
  plan(plan: { steps?: number; perJob?: number; exit?: number }): void;
  qsub(...args: string[]): string;
  call(program: 'qdel' | 'qrerun', id: string): void;
  /** Lets the scheduler find that a running job is over its walltime. */
  exceedWalltime(id: string): void;
  jobs(): FakeJob[];
  /** What the trainer did, line by line. */
  calls(): string[];
  /** What all jobs have printed so far. */
  output(): string;
  until(condition: () => boolean, what: string): Promise<void>;
  /** Until no job is left. */
  idle(): Promise<void>;
  /** Deletes the jobs that are left, and then everything. */
  remove(): Promise<void>;
}

export function makeFakeCluster(): FakeCluster {
  const top = mkdtempSync(join(tmpdir(), 'deep-cnn-pbs-'));
  const project = join(top, 'the project');
  for (const folder of ['bin', 'home']) mkdirSync(join(top, folder));
  const jobs = new FakeJobs(top);
  for (const folder of ['scripts', 'dist']) mkdirSync(join(project, folder), { recursive: true });
  copyFileSync(join(repository, 'submit.pbs'), join(project, 'submit.pbs'));
  copyFileSync(join(repository, 'scripts/job.sh'), join(project, 'scripts/job.sh'));
  writeFileSync(join(project, 'environment.sh'), `PATH=${dirname(process.execPath)}:$PATH\n`);
  writeFileSync(join(project, 'dist/cli.js'), trainer);
  writeFileSync(join(top, 'home', '.bash_profile'), `PATH='${join(top, 'bin')}':$PATH\n`);
  for (const name of ['qsub', 'qstat', 'qdel', 'qrerun']) {
    const path = join(top, 'bin', name);
    // In a session of its own, as it ignores what is sent to the job's.
    writeFileSync(path, `#!/bin/sh\nexec setsid --wait '${process.execPath}' '${program}' ${name} "$@"\n`);
    chmodSync(path, 0o755);
  }
  const env = { PATH: `${join(top, 'bin')}:/usr/bin:/bin`, FAKE_PBS: top };
  const run = (name: string, args: readonly string[]) =>
    execFileSync(join(top, 'bin', name), args, {
      cwd: project,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const textOf = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  const cluster: FakeCluster = {
    project,
    plan: (plan) => writeFileSync(join(project, 'plan.json'), JSON.stringify({ steps: 20, ...plan })),
    qsub: (...args) => run('qsub', args).trim(),
    call: (name, id) => void run(name, [id]),
    exceedWalltime: (id) => jobs.setWish(id, 'limit'),
    jobs: () =>
      jobs
        .ids()
        .map((id) => jobs.read(id))
        .sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true })),
    calls: () =>
      textOf(join(project, 'calls'))
        .split('\n')
        .filter((line) => line !== ''),
    output: () =>
      cluster
        .jobs()
        .map(({ id }) => `== ${id}\n${textOf(join(jobs.folderOf(id), `${id}.OU`))}`)
        .join(''),
    until: async (condition, what) => {
      const endMs = performance.now() + 300_000;
      while (!condition()) {
        if (performance.now() > endMs) throw new Error(`waited in vain for ${what}:\n${cluster.output()}`);
        await sleep(30);
      }
    },
    idle: () => cluster.until(() => cluster.jobs().every(({ state }) => state === 'F'), 'the end of all jobs'),
    remove: async () => {
      const isIdle = () => {
        const left = cluster.jobs().filter(({ state }) => state !== 'F');
        // Again and again, since a job that is being handed in comes later.
        for (const { id } of left) jobs.setWish(id, 'delete');
        return left.length === 0;
      };
      await cluster.until(isIdle, 'the deletion of all jobs');
      rmSync(top, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
  cluster.plan({});
  return cluster;
}
