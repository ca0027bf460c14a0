// Stand-ins for squeue and qstat: shell scripts in a folder of their own.

import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

export interface FakeScheduler {
  /** An environment in which only the stand-ins are found. */
  env: NodeJS.ProcessEnv;
  /** Adds or replaces a program: the body of a shell script. */
  write(name: string, body: string): void;
  /** A program that prints the text and nothing else. */
  print(name: string, text: string): void;
}

/** Makes an empty folder for stand-ins, removed after the tests. */
export function makeFakeScheduler(): FakeScheduler {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-scheduler-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, body: string) => {
    const path = join(folder, name);
    // Whole at once, since the program may be run at any time.
    writeFileSync(`${path}.new`, `#!/bin/sh\n${body}\n`);
    chmodSync(`${path}.new`, 0o755);
    renameSync(`${path}.new`, path);
  };
  return {
    env: { PATH: folder, TZ: process.env['TZ'] },
    write,
    print: (name, text) => write(name, `/bin/cat <<'END'\n${text.replace(/\n?$/, '\n')}END`),
  };
}
