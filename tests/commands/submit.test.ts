import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RunProgram } from '#src/cluster/scheduler-program.js';
import { runSubmit, submitCommand } from '#src/commands/submit.js';
import { submitOptions } from '#src/commands/submit-options.js';
import { UserError } from '#src/errors.js';
import type { Command } from '#src/options/command.js';
import { readCommandLine } from '#src/options/command-line.js';
import { readOptions } from '#src/options/given.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

function prepare(
  t: TestContext,
  {
    env = {},
    answer = { output: '12.server\n' },
  }: { env?: NodeJS.ProcessEnv; answer?: Awaited<ReturnType<RunProgram>> } = {},
) {
  const root = mkdtempSync(join(tmpdir(), 'deep-cnn-submit-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'my data'));
  const calls: string[][] = [];
  let printed = '';
  let told = '';
  const parts = {
    env,
    run: async (program: string, args: readonly string[]) => {
      calls.push([program, ...args]);
      if (program !== 'qstat') return answer;
      return { output: 'Job Id: 9[].server\n    array_indices_submitted = 1-2\n' };
    },
    print: (text: string) => {
      printed += text;
    },
    tell: (text: string) => {
      told += text;
    },
  };
  const submit = async (options: Record<string, string>, operands: string[] = []) => {
    printed = told = '';
    const given = { root_dir: root, data_dir: join(root, 'my data'), scheduler: 'pbs', ...options };
    const sources = new Map(Object.entries(given).map(([name, value]) => [name, { value, where: `--${name}` }]));
    const code = await runSubmit(readOptions(submitOptions, [sources]), operands, new Set(sources.keys()), parts);
    return { code, printed, told };
  };
  return { root, calls, submit };
}

const scriptOf = (root: string, name: string) => readFileSync(join(root, 'outputs/jobs', name), 'utf8');

/** What the script would run, word by word, with stand-ins for what it sources. */
function wordsOf(script: string): string[] {
  const text = script.replace(/^\. .*$/gm, '').replace(/^#.*$/gm, '');
  const show = 'run_job() { printf "%s\\0" "$@"; }; job_after() { :; };';
  return execFileSync('bash', ['-c', show + text], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);
}

test('writes the script, submits it without a shell and prints the identifier', async (t) => {
  const { root, calls, submit } = prepare(t);
  const { code, printed, told } = await submit({
    run_name: 'first',
    model: 'resnet18',
    epochs: '3',
    walltime: '90m',
    cpus: '4',
    mem: '24gb',
    queue: 'v1_gpu72',
  });
  assert.equal(code, 0);
  assert.equal(printed, '12.server\n');
  assert.ok(told.includes(join(root, 'outputs/jobs/first.pbs')));
  assert.deepEqual(calls, [['qsub', join(root, 'outputs/jobs/first.pbs')]]);
  const script = scriptOf(root, 'first.pbs');
  assert.deepEqual(
    script.split('\n').filter((line) => line.startsWith('#PBS')),
    ['#PBS -N first', '#PBS -lwalltime=01:30:00', '#PBS -lselect=1:ncpus=4:mem=24gb', '#PBS -j oe', '#PBS -q v1_gpu72'],
  );
  assert.deepEqual(wordsOf(script), [
    'node',
    join(repository, 'dist/cli.js'),
    '--epochs=3',
    '--model=resnet18',
    `--data_dir=${join(root, 'my data')}`,
    '--run_name=first',
    `--root_dir=${root}`,
  ]);
});

test('for Slurm, with a GPU, an array and a job before it', async (t) => {
  const { root, calls, submit } = prepare(t, { answer: { output: 'note of the site\n77;cluster\n' } });
  const options = {
    scheduler: 'slurm',
    run_name: 'sweep',
    gpus: '2',
    gpu_type: 'a100',
    array: '1-3',
    after: '76',
    account: 'group',
  };
  assert.equal((await submit(options)).printed, '77\n');
  assert.deepEqual(calls, [
    ['sbatch', '--parsable', '--dependency=afterok:76', join(root, 'outputs/jobs/sweep.slurm')],
  ]);
  const script = scriptOf(root, 'sweep.slurm');
  for (const line of ['--gres=gpu:a100:2', '--array=1-3', '--account=group', '--requeue --open-mode=append']) {
    assert.ok(script.includes(`\n#SBATCH ${line}\n`), line);
  }
});

test('PBS: GPUs stand in the select line, and each element of an array before it is waited for', async (t) => {
  const { root, calls, submit } = prepare(t);
  await submit({ gpus: '1', gpu_type: 'RTX6000', after: '9[].server' });
  assert.deepEqual(calls.at(-1), ['qsub', '-W', 'depend=afterany:9[].server', join(root, 'outputs/jobs/default.pbs')]);
  const script = scriptOf(root, 'default.pbs');
  assert.match(script, /#PBS -lselect=1:ncpus=2:mem=8gb:ngpus=1:gpu_type=RTX6000\n/);
  assert.match(script, /^job_after '9\[1\]\.server' '9\[2\]\.server'$/m);
});

test('the script is the shipped one but for the lines that people edit', async (t) => {
  const { root, submit } = prepare(t);
  for (const scheduler of ['pbs', 'slurm']) {
    await submit({ scheduler, run_name: 'same' });
    const ours = scriptOf(root, `same.${scheduler}`).split('\n');
    const shipped = readFileSync(join(repository, `submit.${scheduler}`), 'utf8').split('\n');
    const comments = (lines: string[]) => lines.filter((line) => /^# (Node|The run|the walltime|options)/.test(line));
    assert.equal(comments(shipped).length, 4);
    assert.deepEqual(comments(ours), comments(shipped));
    const commands = ours
      .filter((line) => /^(cd|\.|run_job) /.test(line))
      // A path with spaces is quoted.
      .map((line) => line.replaceAll(repository, '').replaceAll("'", ''));
    assert.deepEqual(commands, [
      `cd ${root} || exit 2`,
      '. environment.sh || exit 2',
      '. scripts/job.sh || exit 2',
      'run_job node dist/cli.js \\',
    ]);
  }
  const body = (name: string) => readFileSync(join(repository, name), 'utf8').split('\n').slice(7);
  assert.deepEqual(body('submit.pbs'), body('submit.slurm'));
});

test('any text reaches the run as it is, and line breaks are refused', async (t) => {
  const { root, submit } = prepare(t);
  const name = `it's "$HOME" \`id\` ; rm * & é`;
  const data = join(root, 'a $(touch broken) b');
  mkdirSync(data);
  await submit({ run_name: name, data_dir: data });
  const words = wordsOf(scriptOf(root, `${name}.pbs`));
  assert.ok(words.includes(`--run_name=${name}`));
  assert.ok(words.includes(`--data_dir=${data}`));
  assert.match(scriptOf(root, `${name}.pbs`), /^#PBS -N it_s__[\w.-]*$/m);
  mkdirSync(join(root, 'two\nlines'));
  await assert.rejects(submit({ data_dir: join(root, 'two\nlines') }), /can hold no line breaks/);
});

test('variables that are no secrets go into the script, keys never', async (t) => {
  const key = 'abcdef0123456789abcdef0123456789';
  const env = {
    WB_KEY: key,
    WB_PROJECT: 'my project',
    HF_TOKEN: `hf_${key}`,
    MODULES: 'nodejs/22',
    HTTPS_PROXY: 'http://me:secret99@proxy:1',
    OTHER: 'x',
  };
  const { root, submit } = prepare(t, { env });
  await submit({ scheduler: 'slurm', wandb: 'True' });
  const script = scriptOf(root, 'default.slurm');
  assert.match(script, /^export MODULES=nodejs\/22\nexport WB_PROJECT='my project'$/m);
  assert.doesNotMatch(script, /abcdef|secret99|OTHER|KEY/);
  // PBS hands no environment on, and its -v would show the key.
  await assert.rejects(submit({ scheduler: 'pbs', wandb: 'True' }), /Put it into ~\/\.netrc/);
});

test('--dry_run shows the script and leaves nothing', async (t) => {
  const { root, calls, submit } = prepare(t);
  const { printed } = await submit({ dry_run: 'True' });
  assert.match(printed, /^#!\/bin\/bash\n#PBS -N default\n/);
  assert.deepEqual([calls, existsSync(join(root, 'outputs'))], [[], false]);
});

test('mistakes are told before anything is written', async (t) => {
  const { root, submit } = prepare(t, { env: { PATH: '' } });
  const mistakes: [Record<string, string>, RegExp][] = [
    [{ data_dir: '/nowhere' }, /Cannot find the data/],
    [{ model: 'resnet17' }, /resnet18/],
    [{ warmup: '30' }, /warm-up/],
    [{ gpu_type: 'A100' }, /--gpus=1/],
    [{ queue: 'a', partition: 'b' }, /two places/],
    [{ queue: 'a b' }, /Bad value for --queue/],
    [{ array: '3-1' }, /Bad value for --array/],
    [{ mem: '8' }, /24gb or 500mb/],
    [{ after: '-x' }, /Bad value for --after/],
    [{ scheduler: 'lsf' }, /pbs or slurm/],
  ];
  for (const [options, message] of mistakes) {
    await assert.rejects(
      submit(options),
      (error) => error instanceof UserError && message.test(error.message),
      JSON.stringify(options),
    );
  }
  await assert.rejects(submit({}, ['progres', 'x']), /Bad use of deep-cnn submit/);
  assert.ok(!existsSync(join(root, 'outputs')));
});

test('another command is refused before its options are, with the way to run it', () => {
  const refused: [string[], RegExp][] = [
    [['evaluate', '--run=first'], /which trains: .*found 'evaluate'\. .*`run_once node dist\/cli\.js evaluate \.\.\.`/],
    [['data', 'check', '--json'], /found 'data' 'check'/],
    [['sweep', 'a.yaml', '--parallel=2'], /deep-cnn sweep FILE --submit/],
    [['progress', 'first', 'second'], /Name one run/],
  ];
  for (const [words, message] of refused) {
    const settings = { commands: [submitCommand as Command], version: '', columns: 80 };
    assert.throws(() => readCommandLine(['submit', ...words], settings), message);
  }
});

test('what the scheduler refuses is told', async (t) => {
  const { submit } = prepare(t, { answer: { failure: 'qsub failed: Unknown queue' } });
  await assert.rejects(submit({}), /The job was not submitted: found qsub failed: Unknown queue/);
});

test('progress of a run without a checkpoint is nothing', async (t) => {
  const { submit } = prepare(t);
  assert.deepEqual(await submit({}, ['progress', 'no-run']), { code: 0, printed: '', told: '' });
});
