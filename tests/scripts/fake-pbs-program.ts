// The commands of the stand-in for OpenPBS, `qsub`, `qstat -f`, `qdel` and `qrerun`, and `run`, which runs a job;
// fake-pbs.ts tells what it imitates.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { FakeJobs } from './fake-pbs-job.js';
import { runJob } from './fake-pbs-mom.js';

const top = process.env['FAKE_PBS'] ?? '';
const jobs = new FakeJobs(top);

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
  if (script.includes('\r')) refuse('script contains cr, lf');
  for (const line of script.split('\n')) {
    if (line.startsWith('#PBS ')) take(line.slice(5).trim().split(/\s+/), false);
    else if (line !== '' && !line.startsWith('#')) break;
  }
  if (/ngpus|gpu_type/.test(resources['select'] ?? '')) refuse('Unknown resource: ngpus');
  const name = options.get('-N') ?? path?.split('/').at(-1) ?? 'STDIN';
  if (!/^[A-Za-z][A-Za-z0-9_+-]{0,229}$/.test(name)) refuse('illegal -N value');
  const variables = { ...ownVariables(), ...givenVariables(options.get('-v') ?? '') };
  const number = jobs.newNumber();
  const [, first, last] = /^(\d+)-(\d+)/.exec(options.get('-J') ?? '') ?? [];
  const indices =
    first === undefined
      ? [undefined]
      : Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
  const depend = /depend=afterany:(\S+)/.exec(options.get('-W') ?? '')?.[1];
  for (const index of indices) {
    const id = `${number}${index === undefined ? '' : `[${index}]`}.fake`;
    const optional = { ...(depend !== undefined && { depend }), ...(index !== undefined && { index }) };
    jobs.add({ id, name, script, workdir: process.cwd(), variables, resources, ...optional });
    spawn(process.execPath, [process.argv[1] ?? '', 'run', id], { detached: true, stdio: 'ignore' }).unref();
  }
  process.stdout.write(`${number}${first === undefined ? '' : '[]'}.fake\n`);
}

function refuse(reason: string): never {
  process.stderr.write(`qsub: ${reason}\n`);
  process.exit(1);
}

/** What a job learns of the shell that submitted it, whatever -v says. */
function ownVariables(): Record<string, string> {
  const { HOME = '/', PATH = '', SHELL } = process.env;
  return {
    PBS_O_HOME: HOME,
    PBS_O_PATH: PATH,
    ...(SHELL !== undefined && { PBS_O_SHELL: SHELL }),
    PBS_O_WORKDIR: process.cwd(),
    PBS_O_SYSTEM: 'Linux',
    PBS_O_QUEUE: 'workq',
    PBS_O_HOST: 'login01',
  };
}

/** -v takes values, or names of variables that have to be there. */
function givenVariables(list: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const part of list.split(/(?<!\\),/).filter((text) => text !== '')) {
    const [name = '', ...words] = part.split('=');
    const value = words.length > 0 ? words.join('=').replaceAll('\\,', ',') : process.env[name];
    if (value === undefined) refuse('cannot send environment with the job');
    if (!name.startsWith('PBS_O_')) variables[name] = value;
  }
  return variables;
}

function qstat(args: readonly string[]): void {
  const job = jobs.read(args.at(-1) ?? '');
  if (job.state === 'F' && !args.includes('-x')) {
    process.stderr.write(`qstat: ${job.id} Job has finished, use -x or -H to obtain historical job information\n`);
    process.exit(35);
  }
  const variables = Object.entries(job.variables).map(([name, value]) => `${name}=${value.replaceAll(',', '\\,')}`);
  const attributes: [string, string][] = [
    ['Job_Name', job.name],
    ['Job_Owner', 'student@login01'],
    ['job_state', job.state],
    ['queue', 'workq'],
    ['server', 'fake'],
    ['Mail_Points', 'a'],
    ['Output_Path', `login01:${job.workdir}/${job.name}.o`],
    ['Priority', '0'],
    ['Rerunable', 'True'],
    ...Object.entries(job.resources).map(([name, value]): [string, string] => [`Resource_List.${name}`, value]),
    ...(job.startedAt === undefined ? [] : [['stime', ctime(job.startedAt)] satisfies [string, string]]),
    ...(job.exitCode === undefined ? [] : [['Exit_status', String(job.exitCode)] satisfies [string, string]]),
    ['Variable_List', variables.join(',')],
    ['run_count', String(job.runs)],
    ['project', '_pbs_project_default'],
  ];
  process.stdout.write(`Job Id: ${job.id}\n${attributes.map(attributeLines).join('\n')}\n\n`);
}

/** As qstat prints it: 79 columns, then a tab and more; where it can, it breaks after a comma. */
function attributeLines([name, value]: [string, string]): string {
  const width = 79;
  let text = `    ${name} = `;
  let column = text.length;
  const goOn = () => {
    text += '\n\t';
    column = 8;
  };
  for (const [index, piece] of value.split(/(?<=,)/).entries()) {
    if (index > 0 && column + piece.length > width) goOn();
    for (const letter of piece) {
      if (column === width) goOn();
      text += letter;
      column += 1;
    }
  }
  return text;
}

/** `Tue Dec 13 14:09:33 2016` */
function ctime(iso: string): string {
  const [day = '', month = '', date = '', year = '', time = ''] = new Date(iso).toString().split(' ');
  return `${day} ${month} ${date.replace(/^0/, ' ')} ${time} ${year}`;
}

const [, , verb, ...args] = process.argv;
if (verb === 'qsub') qsub(args);
else if (verb === 'run') await runJob(top, jobs, args[0] ?? '');
else if (verb === 'qstat') qstat(args);
else if (verb === 'qdel') jobs.setWish(args[0] ?? '', 'delete');
else if (verb === 'qrerun') jobs.setWish(args[0] ?? '', 'rerun');
