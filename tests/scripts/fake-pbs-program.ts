// A stand-in for OpenPBS, of which there is no package to test with: `qsub`, `qstat -f`, `qdel`, `qrerun` and what runs
// the jobs. It does what was seen of OpenPBS 23.06, with all times divided by FAKE_PBS_SPEED: no signal before the
// walltime, TERM to the whole session a third after it, KILL 12 s later; `qdel` TERM at once and KILL 15 s later; `qrerun`
// KILL to the script alone, whose children live on for 2 s. Jobs are files in FAKE_PBS.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

interface FakeJob {
  id: string;
  name: string;
  script: string;
  workdir: string;
  variables: Record<string, string>;
  resources: Record<string, string>;
  depend: string | undefined;
  index: number | undefined;
  runs: number;
  state: 'R' | 'F' | 'H';
  exitCode: number | undefined;
  /** What somebody wants of the job. */
  wish: 'delete' | 'rerun' | undefined;
}

const home = process.env['FAKE_PBS'] ?? '';
const speed = Number(process.env['FAKE_PBS_SPEED'] ?? 1);
const fileOf = (id: string) => join(home, 'jobs', id, 'job.json');
const read = (id: string) => JSON.parse(readFileSync(fileOf(id), 'utf8')) as FakeJob;

function update(id: string, change: Partial<FakeJob>): FakeJob {
  const job = { ...read(id), ...change };
  write(job);
  return job;
}

function write(job: FakeJob): void {
  mkdirSync(join(home, 'jobs', job.id), { recursive: true });
  const temporary = `${fileOf(job.id)}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(job));
  renameSync(temporary, fileOf(job.id));
}

/** Options of the command line win over the script's `#PBS` lines, which end at the first command. */
function qsub(args: string[]): void {
  const options = new Map<string, string>();
  const resources: Record<string, string> = {};
  const take = (words: readonly string[], isFirst: boolean): string | undefined => {
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? '';
      if (!word.startsWith('-')) return word;
      const key = word.slice(0, 2);
      const value = word.length > 2 ? word.slice(2) : (words[++at] ?? '');
      if (key === '-l') {
        const [name = '', ...rest] = value.split('=');
        if (isFirst || !(name in resources)) resources[name] = rest.join('=');
      } else if (isFirst || !options.has(key)) options.set(key, value);
    }
    return undefined;
  };
  const path = take(args, true);
  const script = readFileSync(path ?? 0, 'utf8');
  if (script.includes('\r')) throw new Error('qsub: script contains cr, lf');
  for (const line of script.split('\n')) {
    if (line.startsWith('#PBS ')) take(line.slice(5).trim().split(/\s+/), false);
    else if (line !== '' && !line.startsWith('#')) break;
  }
  if (/ngpus|gpu_type/.test(resources['select'] ?? '')) throw new Error('qsub: Unknown resource: ngpus');
  const number = readdirSync(join(home, 'numbers')).length + 1;
  writeFileSync(join(home, 'numbers', String(number)), '');
  const variables: Record<string, string> = {};
  for (const part of (options.get('-v') ?? '').split(',').filter((text) => text !== '')) {
    const [name = '', ...value] = part.split('=');
    variables[name] = value.length > 0 ? value.join('=') : (process.env[name] ?? '');
  }
  const [, first, last] = /^(\d+)-(\d+)/.exec(options.get('-J') ?? '') ?? [];
  const indices =
    first === undefined
      ? [undefined]
      : Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
  for (const index of indices) {
    const id = `${number}${index === undefined ? '' : `[${index}]`}.fake`;
    write({
      id,
      name: options.get('-N') ?? path?.split('/').at(-1) ?? 'STDIN',
      script,
      workdir: process.cwd(),
      variables,
      resources,
      depend: /depend=afterany:(\S+)/.exec(options.get('-W') ?? '')?.[1],
      index,
      runs: 0,
      state: 'R',
      exitCode: undefined,
      wish: undefined,
    });
    spawn(process.execPath, [process.argv[1] ?? '', 'run', id], { detached: true, stdio: 'ignore' }).unref();
  }
  process.stdout.write(`${number}${first === undefined ? '' : '[]'}.fake\n`);
}

async function runJob(id: string): Promise<void> {
  const { depend } = read(id);
  for (;;) {
    const before =
      depend === undefined ? [] : readdirSync(join(home, 'jobs')).filter((other) => matches(other, depend));
    if (before.every((other) => read(other).state === 'F')) break;
    await sleep(50);
  }
  for (;;) {
    const code = await runOnce(update(id, { runs: read(id).runs + 1, wish: undefined }));
    if (code !== 'rerun') {
      update(id, { state: 'F', exitCode: code });
      return;
    }
  }
}

const matches = (id: string, wanted: string) =>
  id === wanted || (wanted.includes('[]') && id.replace(/\[\d+\]/, '[]') === wanted);

async function runOnce(job: FakeJob): Promise<number | 'rerun'> {
  const folder = join(home, 'jobs', job.id);
  const script = join(folder, `${job.id}.SC`);
  writeFileSync(script, job.script, { mode: 0o700 });
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const log = join(job.workdir, `${job.name}.o${job.id.replace('.fake', '')}`);
  const output = openSync(log, 'a');
  const userHome = join(home, 'home');
  const child = spawn(script, [], {
    cwd: userHome,
    detached: true,
    stdio: ['ignore', output, output],
    env: {
      PATH: `${join(home, 'bin')}:/usr/bin:/bin`,
      HOME: userHome,
      FAKE_PBS: home,
      FAKE_PBS_SPEED: String(speed),
      TMPDIR: temporary,
      ...job.variables,
      PBS_ENVIRONMENT: 'PBS_BATCH',
      PBS_JOBID: job.id,
      PBS_JOBNAME: job.name,
      PBS_O_WORKDIR: job.workdir,
      ...(job.index !== undefined && { PBS_ARRAY_INDEX: String(job.index) }),
    },
  });
  closeSync(output);
  const ended = new Promise<number>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 265)));
  });
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  const walltime = clock(job.resources['walltime'] ?? '100:00:00');
  const startedMs = performance.now();
  let termAt: number | undefined;
  const session = child.pid ?? 0;
  while (!isOver) {
    const elapsed = ((performance.now() - startedMs) / 1000) * speed;
    const { wish } = read(job.id);
    if (wish === 'rerun') {
      child.kill('SIGKILL');
      await ended;
      // The orphans write for some seconds yet.
      setTimeout(() => signalSession(session, 'SIGKILL'), 2000 / speed);
      return 'rerun';
    }
    if (termAt === undefined && (wish === 'delete' || elapsed >= walltime * 1.35)) {
      termAt = elapsed;
      signalSession(session, 'SIGTERM');
    }
    if (termAt !== undefined && elapsed >= termAt + (wish === 'delete' ? 15 : 12)) signalSession(session, 'SIGKILL');
    await Promise.race([ended, sleep(20)]);
  }
  return ended;
}

/** To every process of the session, as MOM does it. */
function signalSession(session: number, signal: NodeJS.Signals): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
      if (status.slice(status.lastIndexOf(')') + 2).split(' ')[3] === String(session))
        process.kill(Number(pid), signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}

function clock(text: string): number {
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

function qstat(id: string): void {
  const job = read(id);
  // Names and values are the job's, long lines go on after a tab.
  const variables = [`PBS_O_WORKDIR=${job.workdir}`, ...Object.entries(job.variables).map((pair) => pair.join('='))];
  const lines = [
    `Job Id: ${job.id}`,
    `    Job_Name = ${job.name}`,
    `    job_state = ${job.state}`,
    '    queue = workq',
    ...Object.entries(job.resources).map(([name, value]) => `    Resource_List.${name} = ${value}`),
    `    run_count = ${job.runs}`,
    `    Variable_List = ${variables.join(',\n\t')}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

const [, , verb, ...args] = process.argv;
if (verb === 'qsub') qsub(args);
else if (verb === 'run') await runJob(args[0] ?? '');
else if (verb === 'qstat') qstat(args.at(-1) ?? '');
else if (verb === 'qdel') update(args[0] ?? '', { wish: 'delete' });
else if (verb === 'qrerun') update(args[0] ?? '', { wish: 'rerun' });
