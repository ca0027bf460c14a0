// Stand-ins for python3, pip and g++ in a folder of their own, so that an installation can be rehearsed in milliseconds
// and offline. They write down how they were called.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock } from 'node:test';

export interface FakeTools {
  /** The folder that everything below is in; removed after the tests. */
  root: string;
  cache: string;
  /** The environment in which only the stand-ins are found. */
  env: NodeJS.ProcessEnv;
  /** What set-up has said on stderr, which is caught here. */
  said: string[];
  /** The calls so far, such as `pip download`. */
  calls(): string[];
  /** Replaces or adds a program: a shell script's body. */
  write(name: string, body: string): void;
  /** Puts g++ back. */
  writeCompiler(): void;
}

const python = `
case "$*" in
  *'print(sys.version_info[0])'*) echo 3 ;;
  '-m pip --version') echo "pip 24.0 from here" ;;
  *'pip download'*)
    echo "pip download" >> "$FAKE_CALLS"
    while [ $# -gt 0 ]; do [ "$1" = --dest ] && dest=$2; shift; done
    : > "$dest/tensorflow.whl"
    [ -z "$FAKE_SLOW" ] || /bin/sleep 30 ;;
  -c*)
    echo "unpack" >> "$FAKE_CALLS"
    /bin/mkdir -p "$4/tensorflow/include/tensorflow/c"
    echo cc > "$4/tensorflow/libtensorflow_cc.so.2"
    echo framework > "$4/tensorflow/libtensorflow_framework.so.2"
    echo header > "$4/tensorflow/include/tensorflow/c/c_api.h" ;;
esac`;

const compiler = `
case "$1" in
  --version) echo "g++ (fake) 12.0" ;;
  *)
    while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
    echo "compile $(/usr/bin/basename "$out")" >> "$FAKE_CALLS"
    echo addon > "$out" ;;
esac`;

/** Makes the stand-ins. Call it once in a test file. */
export function makeFakeTools(): FakeTools {
  const root = mkdtempSync(join(tmpdir(), 'deep-cnn-fake-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const bin = join(root, 'bin');
  const callsPath = join(root, 'calls');
  mkdirSync(bin);
  // A stand-in's addon is no library: the child that loads it is told what a real one would say.
  const preload = join(root, 'preload.cjs');
  writeFileSync(preload, `require.extensions['.node'] = (m) => { m.exports = { TF_Version: '2.20.0' }; };`);
  const write = (name: string, body: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  write('python3', python);
  write('g++', compiler);
  const cache = join(root, 'cache');
  const said: string[] = [];
  process.stderr.isTTY = false;
  mock.method(process.stderr, 'write', (text: string | Uint8Array) => said.push(String(text)) > 0);
  return {
    root,
    cache,
    said,
    env: { PATH: bin, DEEP_CNN_CACHE: cache, FAKE_CALLS: callsPath, NODE_OPTIONS: `--require=${preload}` },
    calls: () => (existsSync(callsPath) ? readFileSync(callsPath, 'utf8').trim().split('\n').filter(Boolean) : []),
    write,
    writeCompiler: () => write('g++', compiler),
  };
}
