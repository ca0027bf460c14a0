// environment.sh in a project of its own, where node, npm, python3, conda and `module` are stand-ins that write down
// their calls.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

interface Cluster {
  readonly top: string;
  readonly project: string;
  /** Adds a program to a folder that is on PATH (`bin`), or comes there with a module. */
  add(folder: string, name: string, body: string): void;
  addNode(folder: string, version?: string): void;
  addPython(folder: string): void;
  addConda(folder: string, name?: string, body?: string): void;
  /** Makes `module` known, with one module for each name; it puts `modules/<name>` on PATH. */
  addModules(...names: string[]): void;
  run(command: string, env?: Record<string, string>): { code: number | null; output: string };
  /** The calls since the last time that this was asked. */
  newCalls(): string[];
}

function makeCluster(t: TestContext): Cluster {
  const top = mkdtempSync(join(tmpdir(), 'deep-cnn-cluster-'));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  const project = join(top, 'the project');
  const calls = join(top, 'calls');
  mkdirSync(project);
  for (const name of ['environment.sh', 'environment.yml']) copyFileSync(join(repository, name), join(project, name));
  const add = (folder: string, name: string, body: string) => {
    mkdirSync(join(top, folder), { recursive: true });
    writeFileSync(join(top, folder, name), `#!/bin/bash\n${body}\n`, { mode: 0o755 });
  };
  mkdirSync(join(top, 'bin'));
  for (const name of ['bash', 'cat', 'dirname', 'mkdir', 'rm']) {
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(top, 'bin', name));
  }
  const nodeBody = (version: string) =>
    `if [[ $1 == --version ]]; then echo v${version}; else echo "node $*" >>"${calls}"; fi`;
  const npmBody = `echo "npm $*" >>"${calls}"; [[ " $* " != *" \${FAIL:-nothing} "* ]]`;
  const pythonBody = 'case "$*" in --version) echo Python 3.11.4 ;; -c*) echo 3 ;; esac';
  return {
    top,
    project,
    add,
    addNode: (folder, version = '22.4.0') => {
      add(folder, 'node', nodeBody(version));
      add(folder, 'npm', npmBody);
    },
    addPython: (folder) => add(folder, 'python3', pythonBody),
    addConda: (folder, name = 'conda', body = '') => {
      const create = `
        echo "${name} $*" >>"${calls}"
        while [[ $1 != --prefix ]]; do shift; done
        mkdir -p "$2/bin"; ${body}
        for tool in node npm python3; do cat "${top}/conda/$tool" >"$2/bin/$tool"; done
        /bin/chmod +x "$2/bin/"*`;
      for (const [tool, text] of [
        ['node', nodeBody('22.9.9')],
        ['npm', npmBody],
        ['python3', pythonBody],
      ] as const) {
        add('conda', tool, text);
      }
      add(folder, name, create);
    },
    addModules: (...names) => {
      for (const name of names) mkdirSync(join(top, 'modules', name), { recursive: true });
      mkdirSync(join(top, 'init'), { recursive: true });
      // It reads unset variables, as real ones do, and succeeds where there is no such module, as old ones do.
      const text = `module() {
        echo "module $*$NOT_SET_ANYWHERE" >>"${calls}"
        local folder="${top}/modules/$2"
        if [[ ! -d $folder ]]; then echo "no module $2" >&2; [[ -z $STRICT ]]; return; fi
        case $1 in
          load) PATH=$folder:$PATH; export LOADEDMODULES=$LOADEDMODULES\${LOADEDMODULES:+:}$2 ;;
          unload) PATH=\${PATH//"$folder:"/}; LOADEDMODULES=\${LOADEDMODULES//"$2"/} ;;
        esac
      }`;
      writeFileSync(join(top, 'init/bash'), text);
    },
    run: (command, env = {}) => {
      const { status, stdout } = spawnSync('/bin/bash', ['-c', `exec 2>&1; ${command}`], {
        cwd: top,
        encoding: 'utf8',
        env: { PATH: join(top, 'bin'), HOME: top, MODULESHOME: top, ...env },
      });
      return { code: status, output: stdout };
    },
    newCalls: () => {
      const lines = existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [];
      rmSync(calls, { force: true });
      return lines;
    },
  };
}

const execute = 'bash "the project/environment.sh"';
const source = '. "the project/environment.sh"';

test('uses what is on PATH: sets up with CUDA, runs the tests, and can be run again', (t) => {
  const cluster = makeCluster(t);
  cluster.addNode('bin', '20.19.0');
  cluster.addPython('bin');
  for (let i = 0; i < 2; i += 1) {
    const { code, output } = cluster.run(execute);
    assert.equal(code, 0, output);
    assert.match(output, /^Node v20\.19\.0 \(.*\/bin\/node\), Python 3\.11\.4/);
    assert.match(output, /All is ready\. In a job, `\. environment\.sh`/);
    assert.deepEqual(cluster.newCalls(), ['npm run --silent setup -- --cuda', 'npm test --silent']);
  }
});

test('hands its options on, and knows which there are', (t) => {
  const cluster = makeCluster(t);
  cluster.addNode('bin');
  cluster.addPython('bin');
  assert.equal(cluster.run(`${execute} --cpu --no-tests --weights resnet18 --weights=alexnet`).code, 0);
  assert.deepEqual(cluster.newCalls(), [
    'npm run --silent setup -- --cpu',
    'node dist/cli.js weights download resnet18 alexnet',
  ]);
  const wrong = cluster.run(`${execute} --gpu`);
  assert.equal(wrong.code, 2);
  assert.match(wrong.output, /there is no option `--gpu`/);
  assert.match(cluster.run(`${execute} --weights`).output, /--weights needs a model/);
  assert.match(cluster.run(`${execute} -h`).output, /--no-tests {9}leave the tests out/);
  assert.deepEqual(cluster.newCalls(), []);
});

test('stops at the step that fails, with its exit code', (t) => {
  const cluster = makeCluster(t);
  cluster.addNode('bin');
  cluster.addPython('bin');
  const { code, output } = cluster.run(execute, { FAIL: 'setup' });
  assert.equal(code, 1);
  assert.match(output, /Error: the set-up failed \(see above\)/);
  assert.deepEqual(cluster.newCalls(), ['npm run --silent setup -- --cuda']);
});

test('finds modules, whose names differ, and a job takes the same', (t) => {
  const cluster = makeCluster(t);
  cluster.addModules('NodeJS', 'Python', 'node');
  cluster.addNode('modules/node', '18.0.0');
  cluster.addNode('modules/NodeJS');
  cluster.addPython('modules/Python');
  const { code, output } = cluster.run(execute);
  assert.equal(code, 0, output);
  assert.match(output, /Node v22\.4\.0 .*modules\/NodeJS\/node/);
  const calls = cluster.newCalls();
  assert.ok(calls.includes('module unload node'), 'one that is too old is put back');
  assert.ok(calls.includes('npm test --silent'));

  const job = cluster.run(`${source}; echo "status $?"; node --version`);
  assert.match(job.output, /^status 0\nv22\.4\.0\n$/);
  assert.deepEqual(cluster.newCalls(), ['module load NodeJS', 'module load Python']);
});

test('MODULES names the modules, and one that is missing is a mistake', (t) => {
  const cluster = makeCluster(t);
  cluster.addModules('tools/node-22', 'tools/python');
  cluster.addNode('modules/tools/node-22');
  cluster.addPython('modules/tools/python');
  assert.equal(cluster.run(execute, { MODULES: 'tools/node-22 tools/python' }).code, 0);
  assert.deepEqual(cluster.newCalls().slice(0, 2), ['module load tools/node-22', 'module load tools/python']);
  // The job need not name them again.
  assert.match(cluster.run(`${source}; node --version`).output, /^v22\.4\.0\n$/);

  const missing = cluster.run(execute, { MODULES: 'node/99', STRICT: '1' });
  assert.equal(missing.code, 2);
  assert.match(missing.output, /Error: there is no module node\/99, which MODULES names; `module avail`/);
  rmSync(join(cluster.top, 'init'), { recursive: true });
  assert.match(cluster.run(execute, { MODULES: 'node/99' }).output, /there is no `module` command here/);
});

test('makes an environment with conda once, and mends one that broke off', (t) => {
  const cluster = makeCluster(t);
  cluster.addConda('bin', 'conda', '[[ -z $BREAK ]] || exit 1;');
  const prefix = join(cluster.project, '.cache/conda');
  const broken = cluster.run(execute, { BREAK: '1' });
  assert.equal(broken.code, 2);
  assert.match(broken.output, /Error: there is no Node 20\.19 or newer.*\(found: none\).*install Miniforge/);
  cluster.newCalls();

  const { code, output } = cluster.run(execute);
  assert.equal(code, 0, output);
  assert.match(output, /Node v22\.9\.9/);
  const create = `conda env create --prefix ${prefix} --file ${join(cluster.project, 'environment.yml')}`;
  assert.deepEqual(cluster.newCalls(), [create, 'npm run --silent setup -- --cuda', 'npm test --silent']);
  assert.equal(cluster.run(`${execute} --no-tests`).code, 0);
  assert.deepEqual(cluster.newCalls(), ['npm run --silent setup -- --cuda']);
  assert.match(cluster.run(`${source}; command -v node`).output, /\.cache\/conda\/bin\/node\n$/);
});

test('takes conda from a module, and micromamba', (t) => {
  const cluster = makeCluster(t);
  cluster.addModules('anaconda3/personal');
  cluster.addConda('modules/anaconda3/personal');
  const { code, output } = cluster.run(execute);
  assert.equal(code, 0, output);

  const small = makeCluster(t);
  small.addConda('bin', 'micromamba');
  assert.equal(small.run(execute, { CONDA_ENV: join(small.top, 'env') }).code, 0);
  assert.match(small.newCalls()[0] ?? '', /^micromamba create --yes --prefix .*\/env --file .*environment\.yml$/);
});

test("sourced, it leaves the caller's shell as it was, and makes nothing", (t) => {
  const cluster = makeCluster(t);
  cluster.addModules('nodejs');
  cluster.addNode('modules/nodejs');
  cluster.addConda('bin');
  const job = `set -- --cpu; ${source}; echo "$? $- $* $(shopt -po pipefail)"; compgen -A function deep_cnn; compgen -v deep_cnn; node --version`;
  for (const options of ['', 'set -eu;', 'set -euo pipefail;']) {
    const before = cluster.run(`${options} set -- --cpu; echo "0 $- $* $(shopt -po pipefail)"`).output;
    assert.equal(
      cluster.run(`${options} ${job.replace('; compgen', ' || true; compgen')}`).output.split('\n')[0],
      before.trim(),
    );
  }
  const { output } = cluster.run(job);
  assert.match(output, /^0 .*--cpu.*\nv22\.4\.0\n$/);
  assert.ok(cluster.newCalls().every((call) => call.startsWith('module ')));
});

test('sourced where there is no Node, it says what to do first, and the shell lives on', (t) => {
  const cluster = makeCluster(t);
  cluster.addConda('bin');
  const { code, output } = cluster.run(`${source}; echo "status $?"`);
  assert.equal(code, 0);
  assert.match(
    output,
    /^Error: there is no Node 20\.19 or newer .* Run `bash environment\.sh` on a login node first\.\nstatus 2\n$/,
  );
  assert.deepEqual(cluster.newCalls(), []);
  // A job that is to stop at failures does.
  assert.equal(cluster.run(`set -e; ${source}; echo "went on"`).code, 2);
});

test('another shell than bash is told so', { skip: existsSync('/bin/dash') ? false : 'no dash here' }, (t) => {
  const cluster = makeCluster(t);
  const { code, output } = cluster.run('/bin/dash "the project/environment.sh"');
  assert.equal(code, 2);
  assert.match(output, /^Error: environment\.sh needs bash/);
});

test('environment.yml holds what the checks ask for', () => {
  const { dependencies } = parse(readFileSync(join(repository, 'environment.yml'), 'utf8'));
  assert.ok(Array.isArray(dependencies));
  for (const name of ['nodejs=22', 'pip']) assert.ok(dependencies.includes(name), name);
  assert.ok(dependencies.some((name) => /^python=3\./.test(String(name))));
});

const hasShellcheck = spawnSync('shellcheck', ['--version']).error === undefined;
test('is clean by shellcheck', { skip: hasShellcheck ? false : 'no shellcheck here' }, () => {
  const { status, stdout } = spawnSync('shellcheck', ['environment.sh'], { cwd: repository, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
