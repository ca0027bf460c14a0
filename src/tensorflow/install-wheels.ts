// Brings files out of Python wheels, through pip, so that a site's mirrors and proxies are honoured. No Python
// environment is touched: wheels are downloaded into a folder and unpacked there.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { runCommand } from './install-command.js';

/** The commands that were found to work. */
export interface Python {
  python: string;
  /** pip as a command and its first arguments. */
  pip: readonly [string, ...string[]];
  pipVersion: string;
}

/** Which Python the wheels are for: any will do, since only their C++ parts are used. */
const wheelTags = ['--implementation', 'cp', '--python-version', '3.11', '--abi', 'cp311'];

const extractScript = `
import os, re, sys, zipfile
wheel, target, pattern = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        if re.search(pattern, member.filename) and not member.filename.endswith('/'):
            path = archive.extract(member, target)
            os.chmod(path, 0o755 if (member.external_attr >> 16) & 0o100 else 0o644)
`;

/** Finds Python 3 and pip. Throws a `UserError` that says what needs them and how to get the one that is missing. */
export async function findPython(purpose = 'Setting TensorFlow up'): Promise<Python> {
  const { status, stdout } = await runCommand('python3', ['-c', 'import sys; print(sys.version_info[0])']);
  if (status !== 0 || stdout.trim() !== '3') {
    throw new UserError(`${purpose} needs Python 3`, {
      expected: 'a command `python3` that works',
      found: status === null ? 'none on PATH' : 'one that fails',
      mend: 'Install it (Debian and Ubuntu: `apt-get install python3 python3-pip`; Fedora: `dnf install python3-pip`; a cluster: `module load python`) and start again',
    });
  }
  const commands: [string, ...string[]][] = [['python3', '-m', 'pip'], ['pip3'], ['pip']];
  for (const pip of commands) {
    const [command, ...args] = pip;
    const version = await runCommand(command, [...args, '--version']);
    const pipVersion = /^pip (\S+)/.exec(version.stdout)?.[1];
    if (version.status === 0 && pipVersion !== undefined) return { python: 'python3', pip, pipVersion };
  }
  throw new UserError(`${purpose} needs pip`, {
    expected: 'one of `python3 -m pip`, `pip3` and `pip` to work',
    found: 'none',
    mend: 'Install it (`python3 -m ensurepip --user`; Debian and Ubuntu: `apt-get install python3-pip`) and start again',
  });
}

/**
 * Downloads the wheel that fulfils one requirement (such as `tensorflow-cpu==2.20.0`) into an empty folder, and
 * returns its path. `scratch` takes pip's temporary files. Throws a `UserError` when pip can't get it.
 */
export async function downloadWheel(
  { pip, pipVersion }: Python,
  requirement: string,
  { folder, scratch }: { folder: string; scratch: string },
): Promise<string> {
  const [command, ...args] = pip;
  const options = ['--no-deps', '--only-binary=:all:', '--no-cache-dir', '--quiet', '--retries=3', '--dest', folder];
  const platforms = platformTags().map((tag) => `--platform=${tag}`);
  const result = await runCommand(
    command,
    [...args, 'download', ...options, ...wheelTags, ...platforms, requirement],
    // pip unpacks nothing here, so a rule that it must run in a virtual environment protects nobody.
    { TMPDIR: scratch, PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' },
  );
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
  if (result.status !== 0 || wheel === undefined) throw explainPip(requirement, result.stderr, pipVersion);
  return join(folder, wheel);
}

/** Unpacks the members of a wheel whose path matches `pattern` (a regular expression) into `target`. */
export async function extractWheel({ python }: Python, wheel: string, target: string, pattern: RegExp): Promise<void> {
  const { status, stderr } = await runCommand(python, ['-c', extractScript, wheel, target, pattern.source]);
  if (status === 0) return;
  if (isDiskFull(stderr)) throw diskFull('unpacking a wheel');
  throw new UserError('Python could not unpack a wheel', { found: lastLine(stderr), mend: 'Start again' });
}

/** Turns what pip printed into one line that says what to do. */
export function explainPip(requirement: string, stderr: string, pipVersion: string): UserError {
  const what = `pip could not download ${requirement}`;
  if (isDiskFull(stderr)) return diskFull(`downloading ${requirement}`);
  if (/CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError/.test(stderr)) {
    return new UserError(what, {
      found: 'a certificate that it does not trust',
      mend: "Give pip your site's certificates (`pip config set global.cert FILE`) and start again",
    });
  }
  if (
    /connection broken|Connection(Refused)?Error|ConnectTimeout|ReadTimeout|timed out|ProxyError|NameResolution/i.test(
      stderr,
    )
  ) {
    return new UserError(what, {
      found: 'no connection to its package index',
      mend: 'Check the network and, where one is needed, the proxy (HTTPS_PROXY) or mirror (`pip config set global.index-url ADDRESS`); or set up once on a machine that has a network, with DEEP_CNN_CACHE on a disk that both see',
    });
  }
  if (/No matching distribution|Could not find a version/.test(stderr)) {
    return new UserError(what, {
      found: 'no such wheel in its package index',
      mend: `Check the index that pip is set to (\`pip config list\`) and that pip is not too old (found ${pipVersion}, needed 20.3)`,
    });
  }
  return new UserError(what, { found: lastLine(stderr), mend: 'Mend this and start again' });
}

/** The wheel platforms that run here: every manylinux up to this system's C library. */
function platformTags(): string[] {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const newest = glibcMinor() ?? 17;
  const minors = Array.from({ length: newest - 16 }, (_, index) => index + 17);
  return [...minors.map((minor) => `manylinux_2_${minor}_${machine}`), `manylinux2014_${machine}`];
}

/** The minor version of the system's glibc 2; undefined where the C library is another one (musl). */
export function glibcMinor(): number | undefined {
  // Without this, Node looks up the name of every open connection first.
  if (process.report) Object.assign(process.report, { excludeNetwork: true });
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  const minor = /^2\.(\d+)/.exec(report?.header?.glibcVersionRuntime ?? '')?.[1];
  return minor === undefined ? undefined : Number(minor);
}

function isDiskFull(stderr: string): boolean {
  return /No space left on device|Errno 28|Disk quota exceeded|Errno 122/.test(stderr);
}

function diskFull(doing: string): UserError {
  return new UserError(`The disk or quota is full (while ${doing})`, {
    mend: 'Make room, or set DEEP_CNN_CACHE to a folder on a larger disk, and start again',
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'no message';
}
