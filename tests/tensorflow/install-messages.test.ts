// What a user reads when set-up lacks something: one line each, with what to do.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { ensureTensorflow } from '#src/tensorflow/install.js';
import { checkSpace, prepareCache } from '#src/tensorflow/install-files.js';
import { nvidiaRequirements } from '#src/tensorflow/install-library.js';
import { explainPip, findPython } from '#src/tensorflow/install-wheels.js';
import { formatBytes } from '#src/wording.js';
import { makeFakeTools } from './fake-tools.js';

const tools = makeFakeTools();
const emptyFolder = join(tools.root, 'empty');
mkdirSync(emptyFolder);

beforeEach(() => {
  rmSync(tools.cache, { recursive: true, force: true });
  delete process.env['CXX'];
  Object.assign(process.env, tools.env);
});

/** Asserts that `work` fails with a one-line `UserError` that matches `pattern`. */
async function assertTold(work: () => unknown, pattern: RegExp): Promise<void> {
  await assert.rejects(
    async () => work(),
    (error: Error) => {
      assert.equal(error.name, 'UserError', error.stack);
      assert.match(error.message, pattern);
      assert.ok(!error.message.includes('\n'));
      return true;
    },
  );
}

test('no Python', async () => {
  process.env['PATH'] = emptyFolder;
  await assertTold(
    () => ensureTensorflow({ variant: 'cpu' }),
    /needs Python 3: .*none on PATH.*apt-get install python3/,
  );
});

test('a Python without pip, then with a pip command of its own', async () => {
  const bin = join(tools.root, 'no-pip');
  mkdirSync(bin);
  const write = (name: string, body: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  write('python3', 'case "$1" in -c) echo 3 ;; *) echo "No module named pip" >&2; exit 1 ;; esac');
  process.env['PATH'] = bin;
  await assertTold(findPython, /needs pip: .*`pip3`.*ensurepip/);
  write('pip', 'echo "pip 23.1 from there"');
  assert.deepEqual((await findPython()).pip, ['pip']);
});

test('pip without a network, in the words of several versions', async () => {
  const failures = [
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<...>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/tensorflow-cpu/\nERROR: No matching distribution found for tensorflow-cpu==2.20.0",
    "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.')': /x/",
    'ERROR: Could not install packages due to an OSError: HTTPSConnectionPool: Read timed out.',
    'pip._vendor.urllib3.exceptions.NameResolutionError: Failed to resolve',
  ];
  for (const stderr of failures) {
    await assertTold(() => {
      throw explainPip('tensorflow-cpu==2.20.0', stderr, '24.0');
    }, /tensorflow-cpu==2\.20\.0: found no connection.*proxy/);
  }
});

test('pip with other troubles', () => {
  const explain = (stderr: string) => explainPip('x==1', stderr, '19.0').message;
  assert.match(explain('ERROR: [Errno 28] No space left on device'), /disk or quota is full.*DEEP_CNN_CACHE/);
  assert.match(explain('ERROR: No matching distribution found for x==1'), /no such wheel.*found 19\.0, needed 20\.3/);
  assert.match(explain('SSLError(SSLCertVerificationError(1, ...))) connection broken by'), /certificate/);
  assert.match(explain('first\nERROR: something new'), /found ERROR: something new/);
});

test('a pip that fails during the installation', async () => {
  tools.write(
    'python3',
    'case "$*" in *download*) echo "after connection broken by X" >&2; exit 1 ;; *-m*) echo "pip 24.0 x" ;; *) echo 3 ;; esac',
  );
  await assertTold(() => ensureTensorflow({ variant: 'cpu' }), /no connection/);
});

test('a cache that cannot be written to', async () => {
  writeFileSync(join(tools.root, 'file'), '');
  for (const path of [join(tools.root, 'file/below'), '/proc/deep-cnn']) {
    process.env['DEEP_CNN_CACHE'] = path;
    await assertTold(prepareCache, /can't be written to: found E\w+\. Set DEEP_CNN_CACHE/);
  }
});

test('too little room', async () => {
  prepareCache();
  checkSpace(1, 'a byte');
  await assertTold(
    () => checkSpace(1e18, 'a lot'),
    /Too little disk space in .*cache for a lot: expected 1000000\.0 TB free, found .*B\./,
  );
});

test('a compiler that fails, by its own complaint', async () => {
  const site = join(tools.root, 'site');
  mkdirSync(join(site, 'lib'), { recursive: true });
  mkdirSync(join(site, 'include/tensorflow/c'), { recursive: true });
  for (const path of ['lib/libtensorflow.so.2', 'lib/libtensorflow_framework.so.2', 'include/tensorflow/c/c_api.h']) {
    writeFileSync(join(site, path), '');
  }
  process.env['DEEP_CNN_LIBTENSORFLOW'] = site;
  try {
    tools.write(
      'g++',
      'case "$1" in --version) ;; *) echo note >&2; echo "x.cc:1: error: no such flag" >&2; exit 1 ;; esac',
    );
    await assertTold(
      () => ensureTensorflow({ variant: 'auto' }),
      /could not be compiled: found g\+\+: x\.cc:1: error: no such flag/,
    );
    process.env['CXX'] = 'missing-compiler -O3';
    await assertTold(() => ensureTensorflow({ variant: 'auto' }), /missing-compiler -O3: it does not run.*unset it/);
  } finally {
    delete process.env['DEEP_CNN_LIBTENSORFLOW'];
  }
});

test("NVIDIA's wheels come from TensorFlow's own metadata", () => {
  const path = join(tools.root, 'METADATA');
  writeFileSync(
    path,
    [
      'Requires-Dist: numpy>=1.26.0',
      'Requires-Dist: nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"',
      'Requires-Dist: nvidia-nccl-cu12<3.0,>=2.25.1 ; extra == "and-cuda"',
      'Requires-Dist: tensorflow-io; (sys_platform != "win32") and extra == "gcs-filesystem"',
    ].join('\n'),
  );
  assert.deepEqual(nvidiaRequirements(path), ['nvidia-cudnn-cu12<10.0,>=9.3.0.75', 'nvidia-nccl-cu12<3.0,>=2.25.1']);
  writeFileSync(path, 'Requires-Dist: numpy');
  assert.throws(() => nvidiaRequirements(path), /^Error: internal: /);
});

test('sizes as a person reads them', () => {
  assert.deepEqual([0, 999, 1500, 258_876_263, 5_714_000_000].map(formatBytes), [
    '0 B',
    '999 B',
    '2 kB',
    '259 MB',
    '5.7 GB',
  ]);
});
