// A small project under a stand-in for OpenPBS, of which there is no package to test with. The job scripts are the real
// ones; the trainer is a stand-in too, which saves a number of steps where a run has its checkpoint, and stops in time as
// the real one does.
//
// What the scheduler does is what OpenPBS's source says and was seen of version 23.06, with all times divided by `speed`:
// - A login shell in the user's home leads the job's session and reads one line, the path of the script's copy in a spool
//   folder, which therefore is $0. The umask is 077. What a job prints is in the submission's folder when it has ended,
//   as `name.o1`, or `name.o1.2` in an array.
// - A job has variables of -v, PBS_O_* of the submitting shell, and MOM's. qsub and qstat are on PATH by the shell's
//   profile alone.
// - Before the walltime there is no signal. Some time after it, and at qdel, every process of the session gets TERM, so
//   that the login shell ends; the others have 12 or 15 s before KILL. The exit status is -29 for the walltime, 271 for
//   qdel, whatever the script returns. When the login shell ends by itself, KILL follows for what is left.
// - qrerun kills and starts the script again from the top. Here the run itself lives on for 2 s, as where a node has lost
//   its server.
// - qsub refuses carriage returns, unknown resources, names of jobs with a dot, and -v with a variable that is not there.
//   qstat breaks lines of more than 79 columns, and knows finished jobs only with -x.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const program = fileURLToPath(new URL('./fake-pbs-program.js', import.meta.url));
const trainer = (speed: number) => `
const fs = require('node:fs');
const { execFileSync } = require('node:child_process');
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
if (!plan.deaf) {
  const walltime = /walltime = (?:(\\d+):)?(?:(\\d+):)?(\\d+)/.exec(execFileSync('qstat', ['-f', process.env.PBS_JOBID], { encoding: 'utf8' }));
  const limit = walltime ? Number(walltime[1] ?? 0) * 3600 + Number(walltime[2] ?? 0) * 60 + Number(walltime[3]) : 1e6;
  setTimeout(() => save(75, 'deadline'), limit * 1000 / ${speed} * 0.5);
}
begin();
setInterval(() => {
  if (plan.stuck) return;
  step += 1;
  if (step >= plan.steps) save(0, 'done');
}, 50);
`;

export interface FakeCluster {
  readonly project: string;
  /** What the trainer does: so many steps of 50 ms, or an exit code, or never a step, or no timer of its own. */
  plan(plan: { steps?: number; exit?: number; stuck?: boolean; deaf?: boolean }): void;
  qsub(...args: string[]): string;
  call(program: 'qdel' | 'qrerun', id: string): void;
  jobs(): {
    id: string;
    name: string;
    runs: number;
    state: string;
    exitCode?: number;
    resources: Record<string, string>;
  }[];
  /** What the trainer did, line by line. */
  calls(): string[];
  /** What all jobs have printed so far. */
  output(): string;
  until(condition: () => boolean, what: string): Promise<void>;
  /** Until no job is left. */
  idle(): Promise<void>;
  remove(): void;
}

/** `speed` divides all of the scheduler's times. */
export function makeFakeCluster({ speed = 10 } = {}): FakeCluster {
  const top = mkdtempSync(join(tmpdir(), 'deep-cnn-pbs-'));
  const project = join(top, 'the project');
  for (const folder of ['bin', 'home', 'jobs', 'numbers']) mkdirSync(join(top, folder));
  for (const folder of ['scripts', 'dist']) mkdirSync(join(project, folder), { recursive: true });
  copyFileSync(join(repository, 'submit.pbs'), join(project, 'submit.pbs'));
  copyFileSync(join(repository, 'scripts/job.sh'), join(project, 'scripts/job.sh'));
  writeFileSync(join(project, 'environment.sh'), `PATH=${dirname(process.execPath)}:$PATH\n`);
  writeFileSync(join(project, 'dist/cli.js'), trainer(speed));
  writeFileSync(join(top, 'home', '.bash_profile'), `PATH='${join(top, 'bin')}':$PATH\n`);
  for (const name of ['qsub', 'qstat', 'qdel', 'qrerun']) {
    const path = join(top, 'bin', name);
    // In a session of its own, as it ignores what is sent to the job's.
    writeFileSync(path, `#!/bin/sh\nexec setsid --wait '${process.execPath}' '${program}' ${name} "$@"\n`);
    chmodSync(path, 0o755);
  }
  const env = { PATH: `${join(top, 'bin')}:/usr/bin:/bin`, FAKE_PBS: top, FAKE_PBS_SPEED: String(speed) };
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
    jobs: () =>
      readdirSync(join(top, 'jobs'))
        .map((id) => JSON.parse(textOf(join(top, 'jobs', id, 'job.json'))))
        .sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true })),
    calls: () =>
      textOf(join(project, 'calls'))
        .split('\n')
        .filter((line) => line !== ''),
    output: () =>
      cluster
        .jobs()
        .map(({ id }) => `== ${id}\n${textOf(join(top, 'jobs', id, `${id}.OU`))}`)
        .join(''),
    until: async (condition, what) => {
      const endMs = performance.now() + 40_000;
      while (!condition()) {
        if (performance.now() > endMs) throw new Error(`waited in vain for ${what}:\n${cluster.output()}`);
        await sleep(30);
      }
    },
    idle: () => cluster.until(() => cluster.jobs().every(({ state }) => state === 'F'), 'the end of all jobs'),
    remove: () => rmSync(top, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }),
  };
  cluster.plan({});
  return cluster;
}
