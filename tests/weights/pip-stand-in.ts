// A python3 with a pip that "downloads" one small package, and writes down that it did.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { WeightsPackage } from '#src/weights/pip.js';
import { sha256Of } from './hub-server.js';

/** The bytes in the package. */
export const packed = Buffer.from('weights from a package\n');

export const tinyPackage: WeightsPackage = {
  name: 'tiny-model',
  version: '0.1.0',
  wheelBytes: 100,
  file: 'tiny_model/models/tiny.pth',
  sha256: sha256Of(packed),
};

export const tinyPackages = new Map([[tinyPackage.name, tinyPackage]]);

export interface PipStandIn {
  /** The only folder that should be on the PATH. */
  bin: string;
  /** How often pip has downloaded. */
  downloads(): number;
  /** What pip says as it fails; it works where this is undefined. */
  failWith(stderr: string | undefined): void;
  /** What the package holds. */
  pack(content: Buffer): void;
  /** Back to a pip that works, and has done nothing. */
  reset(): void;
}

/** Makes the stand-in. Call it once in a test file. */
export function makePip(): PipStandIn {
  const root = mkdtempSync(join(tmpdir(), 'deep-cnn-pip-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const bin = join(root, 'bin');
  const [calls, failure, content] = ['calls', 'failure', 'content'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'python3'),
    `#!/bin/sh
case "$*" in
  *'print(sys.version_info[0])'*) echo 3 ;;
  '-m pip --version') echo "pip 24.0 from here" ;;
  *'pip download'*)
    [ -e '${failure}' ] && { /bin/cat '${failure}' >&2; exit 1; }
    echo "$*" >> '${calls}'
    while [ $# -gt 0 ]; do [ "$1" = --dest ] && dest=$2; shift; done
    : > "$dest/tiny.whl" ;;
  -c*)
    /bin/mkdir -p "$4/tiny_model/models"
    /bin/cp '${content}' "$4/tiny_model/models/tiny.pth" ;;
esac
`,
  );
  chmodSync(join(bin, 'python3'), 0o755);
  const pip: PipStandIn = {
    bin,
    downloads: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n').length : 0),
    failWith: (stderr) => (stderr === undefined ? rmSync(failure, { force: true }) : writeFileSync(failure, stderr)),
    pack: (bytes) => writeFileSync(content, bytes),
    reset: () => {
      rmSync(calls, { force: true });
      pip.failWith(undefined);
      pip.pack(packed);
    },
  };
  pip.reset();
  return pip;
}
