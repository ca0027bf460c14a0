// data_download.sh in a project of its own, against a server on this machine and an archive of a few kilobytes.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ArchiveServer, startServer } from './archive-server.js';
import { tarFile } from './tar-writer.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
const fetchers = (['curl', 'wget'] as const).map((name) => ({ name, skip: has(name) ? false : `no ${name} here` }));

const places: Record<string, string> = { 'places365_standard/train.txt': 'a list' };
for (const split of ['train', 'val']) {
  for (const name of ['street', 'street_market', 'house', 'yard', 'house-boat']) {
    for (const image of ['0001.jpg', '0002.jpg']) {
      places[`places365_standard/${split}/${name}/${image}`] = `${split} ${name} ${image} `.repeat(90);
    }
  }
}
const archive = tarFile(places);

interface Place {
  readonly project: string;
  readonly tree: string;
  readonly server: ArchiveServer;
  inInput(path: string): string;
  run(args?: readonly string[], env?: Record<string, string>): Promise<Result>;
  start(args?: readonly string[], env?: Record<string, string>): ChildProcess;
}

interface Result {
  code: number | null;
  output: string;
}

/** A project folder with the script, a list of classes to keep, and a server with the archive. */
async function makePlace(t: TestContext, keep: string | undefined = 'street\nhouse\n'): Promise<Place> {
  const top = mkdtempSync(join(tmpdir(), 'deep-cnn-download-'));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  const project = join(top, 'the project');
  mkdirSync(join(project, 'input'), { recursive: true });
  copyFileSync(join(repository, 'data_download.sh'), join(project, 'data_download.sh'));
  cpSync(join(repository, 'scripts/data-download'), join(project, 'scripts/data-download'), { recursive: true });
  if (keep !== '') writeFileSync(join(project, 'input/keep.txt'), keep);
  const server = await startServer(t, archive);
  const start = (args: readonly string[] = [], env: Record<string, string> = {}) =>
    spawn('bash', [join(project, 'data_download.sh'), ...args], {
      cwd: top,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        DATA_URL: server.url,
        RETRY_SECONDS: '0',
        RETRIES: '3',
        LOCK_SECONDS: '0',
        FORCE: '1',
        ...env,
      },
    });
  return {
    project,
    tree: join(project, 'input/places365standard_easyformat/places365_standard'),
    server,
    inInput: (path) => join(project, 'input', path),
    start,
    run: (args, env) => finish(start(args, env)),
  };
}

function finish(child: ChildProcess): Promise<Result> {
  return new Promise((resolve) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** The files below a folder, hidden ones too. */
function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

/** The files that are to be in the tree when these classes are unpacked. */
function filesOf(...classes: readonly string[]): string[] {
  return ['train', 'val']
    .flatMap((split) => classes.flatMap((name) => [`${split}/${name}/0001.jpg`, `${split}/${name}/0002.jpg`]))
    .sort();
}

/** Only the programs that the script needs, and one of curl and wget. */
function pathWith(t: TestContext, ...programs: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-path-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const usual =
    'awk basename bash cat cp df dirname find grep head md5sum mkdir mkfifo mv rm sha256sum sleep stat tail';
  for (const name of [...usual.split(' '), 'tar', 'tr', 'uname', 'wc', ...programs]) {
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(folder, name));
  }
  return folder;
}

async function waitFor(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 300_000;
  while (!condition()) {
    assert.ok(performance.now() < endMs, 'it never came to pass');
    await sleep(25);
  }
}

/** Waits until so much of the archive is on the disk. */
function waitForPart({ inInput }: Place, bytes: number): Promise<void> {
  const part = inInput('places365standard_easyformat.tar.part');
  return waitFor(() => statSync(part, { throwIfNoEntry: false })?.size === bytes);
}

for (const { name, skip } of fetchers) {
  test(`${name}: downloads once, unpacks whole names only, deletes the archive, and does nothing again`, {
    skip,
  }, async (t) => {
    const place = await makePlace(t);
    const env = { PATH: pathWith(t, name, 'flock') };
    const first = await place.run([], env);
    assert.equal(first.code, 0, first.output);
    assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
    assert.equal(readFileSync(join(place.tree, 'val/house/0002.jpg'), 'utf8'), 'val house 0002.jpg '.repeat(90));
    assert.deepEqual(place.server.requests, ['HEAD', 'GET 0']);
    assert.equal(place.server.sentBytes, archive.length);
    // Not the archive's time: files that look old are deleted on many clusters.
    assert.ok(statSync(join(place.tree, 'val/house/0002.jpg')).mtimeMs > Date.now() - 3_600_000);
    assert.match(first.output, /street: 2 in train, 2 in val/);
    assert.match(first.output, /Needs [\d.]+ kB of disk: [\d.]+ kB for the archive/);
    assert.ok(!first.output.includes('\r'));
    assert.deepEqual(readdirSync(place.inInput('')).sort(), [
      '.data_download',
      'keep.txt',
      'places365standard_easyformat',
    ]);

    const second = await place.run([], env);
    assert.equal(second.code, 0);
    assert.match(second.output, /^The 2 classes of .*keep\.txt are there already: .*places365_standard\n$/);
    assert.equal(place.server.requests.length, 2);
  });

  test(`${name}: goes on after cuts, without asking for a byte twice`, { skip }, async (t) => {
    const place = await makePlace(t);
    place.server.faults.push({ cutAfter: 5000 }, { status: 503 }, { cutAfter: 7777 }, { cutAfter: 0 });
    const { code, output } = await place.run([], { PATH: pathWith(t, name, 'flock') });
    assert.equal(code, 0, output);
    assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
    assert.equal(place.server.sentBytes, archive.length);
    assert.deepEqual(place.server.requests, ['HEAD', 'GET 0', 'GET 5000', 'GET 5000', 'GET 12777', 'GET 12777']);
  });

  test(`${name}: stops with 75 when tries bring nothing, and the next run goes on`, { skip }, async (t) => {
    const place = await makePlace(t);
    const env = { PATH: pathWith(t, name, 'flock') };
    place.server.faults.push({ cutAfter: 9000 }, ...Array.from({ length: 3 }, () => ({ status: 500 })));
    const first = await place.run([], env);
    assert.equal(first.code, 75, first.output);
    assert.match(first.output, /Stopped: .*the server answers 500.*Run it again to go on/);
    assert.equal(statSync(place.inInput('places365standard_easyformat.tar.part')).size, 9000);
    const second = await place.run([], env);
    assert.equal(second.code, 0, second.output);
    assert.equal(place.server.sentBytes, archive.length);
  });

  test(`${name}: begins anew where the server knows no ranges`, { skip }, async (t) => {
    const place = await makePlace(t);
    place.server.ranges = false;
    place.server.faults.push({ cutAfter: 6000 });
    const { code, output } = await place.run([], { PATH: pathWith(t, name, 'flock') });
    assert.equal(code, 0, output);
    assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
  });

  test(`${name}: a server that tells no size, and one that forbids HEAD`, { skip }, async (t) => {
    const env = { PATH: pathWith(t, name, 'flock') };
    const silent = await makePlace(t);
    silent.server.length = false;
    assert.equal((await silent.run([], env)).code, 0);
    assert.deepEqual(filesIn(silent.tree), filesOf('street', 'house'));

    const complete = await makePlace(t);
    complete.server.length = false;
    writeFileSync(complete.inInput('places365standard_easyformat.tar.part'), archive);
    const result = await complete.run([], env);
    assert.equal(result.code, 0, result.output);
    assert.deepEqual(complete.server.requests, ['HEAD', `GET ${archive.length}`]);

    const strict = await makePlace(t);
    strict.server.faults.push({ method: 'HEAD', status: 403 });
    assert.equal((await strict.run([], env)).code, 0);
  });

  test(`${name}: unpacks while downloading, and goes on after a cut`, { skip }, async (t) => {
    const place = await makePlace(t);
    place.server.faults.push({ cutAfter: 5000 });
    const { code, output } = await place.run(['--stream'], { PATH: pathWith(t, name, 'flock') });
    assert.equal(code, 0, output);
    assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
    assert.equal(place.server.sentBytes, archive.length);
    assert.deepEqual(readdirSync(place.inInput('')).sort(), [
      '.data_download',
      'keep.txt',
      'places365standard_easyformat',
    ]);
  });

  test(`${name}: a wrong address is a mistake, told at once`, { skip }, async (t) => {
    const place = await makePlace(t);
    const env = { PATH: pathWith(t, name, 'flock') };
    place.server.faults.push({ method: 'HEAD', status: 404 });
    const missing = await place.run([], env);
    assert.equal(missing.code, 2);
    assert.match(missing.output, /^Error: .* answers 404: there is no such file\. Correct DATA_URL\.$/m);
    place.server.faults.push({ status: 403 });
    const forbidden = await place.run([], env);
    assert.equal(forbidden.code, 2);
    assert.match(forbidden.output, /answers 403/);
    const nowhere = await place.run([], { ...env, DATA_URL: 'http://127.0.0.1:1/x.tar', RETRIES: '1' });
    assert.equal(nowhere.code, 75, nowhere.output);
  });
}

test('a stream that cannot go on leaves nothing and stops with 75', async (t) => {
  const place = await makePlace(t);
  place.server.ranges = false;
  place.server.faults.push({ cutAfter: 5000 });
  const { code, output } = await place.run(['--stream'], { PATH: pathWith(t, 'curl', 'flock') });
  assert.equal(code, 75, output);
  assert.match(output, /Stopped: the download was cut after 5\.0 kB/);
  assert.ok(!existsSync(place.tree));
  assert.equal((await place.run(['--stream'])).code, 0);
  assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
});

test('what has come of another archive is not gone on with', async (t) => {
  const place = await makePlace(t);
  place.server.faults.push({ cutAfter: 5000 }, ...Array.from({ length: 3 }, () => ({ status: 500 })));
  assert.equal((await place.run()).code, 75);
  place.server.etag = '"second"';
  const { code, output } = await place.run();
  assert.equal(code, 0, output);
  assert.match(output, /of another archive: it begins anew/);
  assert.deepEqual(place.server.requests.slice(-2), ['HEAD', 'GET 0']);
});

test('a size that is not what the server told is not taken', async (t) => {
  const place = await makePlace(t);
  writeFileSync(place.inInput('places365standard_easyformat.tar.part'), Buffer.alloc(archive.length + 512));
  const { code, output } = await place.run();
  assert.equal(code, 0, output);
  assert.match(output, /it begins anew/);
  assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
});

test('checks checksums, and keeps what fails for a corrected one', async (t) => {
  const md5 = createHash('md5').update(archive).digest('hex');
  const sha256 = createHash('sha256').update(archive).digest('hex');
  const place = await makePlace(t);
  const wrong = await place.run([], { DATA_MD5: '0'.repeat(32) });
  assert.equal(wrong.code, 2);
  assert.match(wrong.output, new RegExp(`the MD5 checksum of .* is ${md5}, not 0{32}\\. Correct DATA_MD5, or delete`));
  assert.ok(!existsSync(place.tree));
  const right = await place.run([], { DATA_MD5: md5.toUpperCase(), DATA_SHA256: sha256 });
  assert.equal(right.code, 0, right.output);
  assert.equal(place.server.sentBytes, archive.length);
  assert.equal((await place.run(['--stream'], { DATA_MD5: md5 })).code, 2);
});

test('refuses what is no whole archive', async (t) => {
  const place = await makePlace(t);
  // Cut between two entries, where tar itself notices nothing.
  place.server.body = archive.subarray(0, archive.length - 1024);
  const cut = await place.run();
  assert.equal(cut.code, 2);
  assert.match(cut.output, /\.part is no whole tar archive, though it is all that .* gives/);
  place.server.body = Buffer.from(`<html>${'x'.repeat(2042)}`);
  assert.match((await place.run()).output, /no whole tar archive/);
  place.server.body = Buffer.concat([archive.subarray(0, 5120), Buffer.alloc(512, 7), archive.subarray(5632)]);
  const damaged = await place.run();
  assert.equal(damaged.code, 2);
  assert.match(damaged.output, /tar cannot unpack .*Skipping to next header/);
  assert.ok(!existsSync(place.tree));
});

test('unpacks all classes when there is no list', async (t) => {
  const place = await makePlace(t, '');
  const first = await place.run();
  assert.equal(first.code, 0, first.output);
  assert.match(first.output, /Unpacked all 5 classes/);
  const all = filesOf('street', 'street_market', 'house', 'yard', 'house-boat');
  assert.deepEqual(filesIn(place.tree), ['.all-classes', ...all]);
  assert.match((await place.run()).output, /^All classes are there already/);
  // A list that is written later asks for nothing that is not there.
  writeFileSync(place.inInput('keep.txt'), 'yard');
  assert.equal((await place.run()).code, 0);
  assert.equal(place.server.requests.length, 2);
});

test("reads lists with comments, blank lines, Windows' line ends and no last one", async (t) => {
  const place = await makePlace(t, '\ufeff# mine\r\n\r\n  street \r\nstreet\r\nhouse-boat/ # floats\r\nyard');
  const { code, output } = await place.run();
  assert.equal(code, 0, output);
  assert.deepEqual(filesIn(place.tree), filesOf('house-boat', 'street', 'yard'));
});

test('refuses lists that name paths or nothing', async (t) => {
  const place = await makePlace(t, '/s/street\n');
  const path = await place.run();
  assert.equal(path.code, 2);
  assert.match(path.output, /names `\/s\/street`, which is no folder's name/);
  writeFileSync(place.inInput('keep.txt'), '# nothing\n');
  const empty = await place.run();
  assert.equal(empty.code, 2);
  assert.match(empty.output, /names no class/);
  assert.deepEqual(place.server.requests, []);
});

test('names classes that the archive does not have, keeps it, and needs no second download', async (t) => {
  const place = await makePlace(t, 'street\nhous*\nhighwya\n');
  const first = await place.run();
  assert.equal(first.code, 2, first.output);
  assert.match(
    first.output,
    /Error: the archive has no class hous\*, highwya; all others are unpacked\. .*The archive is kept/,
  );
  assert.deepEqual(filesIn(place.tree), filesOf('street'));
  writeFileSync(place.inInput('keep.txt'), 'street\nhouse\n');
  const second = await place.run();
  assert.equal(second.code, 0, second.output);
  assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
  assert.deepEqual(place.server.requests, ['HEAD', 'GET 0']);
  assert.ok(!existsSync(place.inInput('places365standard_easyformat.tar')));
});

test('leaves folders that are there as they are, and adds what is lacking', async (t) => {
  const place = await makePlace(t);
  mkdirSync(join(place.tree, 'train/street'), { recursive: true });
  writeFileSync(join(place.tree, 'train/street/own.jpg'), 'own');
  assert.equal((await place.run()).code, 0);
  assert.deepEqual(filesIn(place.tree), [...filesOf('house'), 'train/street/own.jpg'].sort());
});

test('takes an archive that somebody has downloaded, and leaves it', async (t) => {
  const place = await makePlace(t);
  const own = join(place.project, 'own.tar');
  writeFileSync(own, archive);
  const { code, output } = await place.run(['--archive', own]);
  assert.equal(code, 0, output);
  assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
  assert.deepEqual(readFileSync(own), archive);
  assert.deepEqual(place.server.requests, []);
  assert.match((await place.run(['--archive', 'nowhere.tar'])).output, /there is no file nowhere\.tar/);

  const byHand = await makePlace(t);
  writeFileSync(byHand.inInput('places365standard_easyformat.tar'), archive.subarray(0, 4096));
  assert.match((await byHand.run()).output, /no whole tar archive\. Rename it to .*\.part to go on/);
  writeFileSync(byHand.inInput('places365standard_easyformat.tar'), archive);
  assert.match((await byHand.run()).output, /The archive stays/);
  assert.deepEqual(byHand.server.requests, []);
});

test('--keep-archive keeps it, and other folders can be named', async (t) => {
  const place = await makePlace(t);
  writeFileSync(join(place.project, 'list'), 'yard\n');
  const elsewhere = join(place.project, 'else where');
  const { code, output } = await place.run([
    '--keep-archive',
    `--input=${elsewhere}`,
    '--keep',
    join(place.project, 'list'),
  ]);
  assert.equal(code, 0, output);
  const tree = join(elsewhere, 'places365standard_easyformat/places365_standard');
  assert.deepEqual(filesIn(tree), filesOf('yard'));
  assert.deepEqual(readFileSync(join(elsewhere, 'places365standard_easyformat.tar')), archive);
});

test('says before it begins that the disk is too small', async (t) => {
  const place = await makePlace(t);
  const path = pathWith(t, 'curl', 'flock');
  rmSync(join(path, 'df'));
  writeFileSync(join(path, 'df'), '#!/bin/sh\necho Filesystem\necho /dev/x 100 92 8 92% /\n', { mode: 0o755 });
  const small = await place.run([], { PATH: path, FORCE: '' });
  assert.equal(small.code, 75);
  assert.match(small.output, /Stopped: .*input.* has 8\.2 kB free, of [\d.]+ kB needed\. Make room/);
  assert.deepEqual(place.server.requests, ['HEAD']);
  const forced = await place.run([], { PATH: path });
  assert.equal(forced.code, 0);
  assert.match(forced.output, /Warning: only 8\.2 kB are free/);
});

test('a full disk stops with 75, and the next run goes on', async (t) => {
  const place = await makePlace(t);
  const disk = place.inInput('');
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=36k', 'tmpfs', disk]);
  if (mount.status !== 0) {
    t.skip('only root can make a small disk');
    return;
  }
  try {
    writeFileSync(place.inInput('keep.txt'), 'street\nhouse\n');
    for (const args of [[], ['--stream']]) {
      const full = await place.run(args);
      assert.equal(full.code, 75, full.output);
      assert.match(full.output, /Stopped: .*(cannot be written|disk is full|disk or quota is full)/);
      assert.ok(!existsSync(place.tree));
    }
    assert.equal(spawnSync('mount', ['-o', 'remount,size=1m', disk]).status, 0);
    const { code, output } = await place.run();
    assert.equal(code, 0, output);
    assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
  } finally {
    spawnSync('umount', ['-l', disk]);
  }
});

test('a full disk is known by each of tar’s messages, and a damaged archive by the others', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-tar-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const parts = `set -eu; work=. dest=.; free_bytes() { echo 0; }; human() { echo "$1"; }
    stop() { echo "$*"; exit 75; }; fail() { echo "$*"; exit 2; }; . '${repository}scripts/data-download/unpack.sh'`;
  const codeFor = (message: string) => {
    writeFileSync(
      join(folder, 'log'),
      `tar: @1\ntar: ${message}\ntar: Exiting with failure status due to previous errors\n`,
    );
    return spawnSync('bash', ['-c', `${parts}; judge_tar 2 a.tar`], { cwd: folder }).status;
  };
  const messages = ['a/b.jpg: Wrote only 86016 of 97056 bytes', 'a: Cannot write: No space left on device'];
  for (const message of [...messages, 'a: Cannot mkdir: Disk quota exceeded'])
    assert.equal(codeFor(message), 75, message);
  assert.equal(codeFor('Unexpected EOF in archive'), 2);
});

test('a run that is killed in the download or while unpacking is gone on with', async (t) => {
  const place = await makePlace(t);
  place.server.faults.push({ stallAfter: 8192 });
  const download = place.start();
  await waitForPart(place, 8192);
  process.kill(-(download.pid ?? 0), 'SIGKILL');
  await finish(download);

  // A tar that stays away for long, once.
  const path = pathWith(t, 'curl', 'flock');
  rmSync(join(path, 'tar'));
  const tar = execFileSync('which', ['tar'], { encoding: 'utf8' }).trim();
  const slow = `#!/bin/bash\n[[ $1 == -x ]] || exec ${tar} "$@"\n${tar} "$@"; : > "$SLOW"; exec sleep 60\n`;
  writeFileSync(join(path, 'tar'), slow, { mode: 0o755 });
  const reached = join(place.project, 'reached');
  const unpacking = place.start([], { PATH: path, SLOW: reached });
  await waitFor(() => existsSync(reached));
  process.kill(-(unpacking.pid ?? 0), 'SIGKILL');
  await finish(unpacking);
  assert.deepEqual(readdirSync(dirname(place.tree)), ['.unpacking']);

  const { code, output } = await place.run();
  assert.equal(code, 0, output);
  assert.deepEqual(
    filesIn(dirname(place.tree)),
    filesOf('street', 'house').map((name) => `places365_standard/${name}`),
  );
  assert.deepEqual(place.server.requests, ['HEAD', 'GET 0', 'HEAD', 'GET 8192']);
});

test('a class is done when its train folder is there, which comes last', async (t) => {
  const place = await makePlace(t);
  const path = pathWith(t, 'curl', 'flock');
  rmSync(join(path, 'mv'));
  const mv = execFileSync('which', ['mv'], { encoding: 'utf8' }).trim();
  const body = `#!/bin/bash\n${mv} "$@"; echo moved >>"$MOVES"; (($(wc -l <"$MOVES") < 3)) || kill -9 "$PPID"\n`;
  writeFileSync(join(path, 'mv'), body, { mode: 0o755 });
  const killed = await place.run([], { PATH: path, MOVES: join(place.project, 'moves') });
  assert.equal(killed.code, null);
  assert.equal(filesIn(place.tree).length, 4);
  const { code, output } = await place.run();
  assert.equal(code, 0, output);
  assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
});

for (const mode of [[], ['--stream']]) {
  test(`a signal ends all that was started, with 75 (${mode[0] ?? 'download'})`, async (t) => {
    const place = await makePlace(t);
    place.server.faults.push({ stallAfter: 8192 });
    const child = place.start(mode);
    const ended = finish(child);
    await waitFor(() => place.server.sentBytes > 0);
    child.kill('SIGTERM');
    // `close` comes when no process holds the output any more.
    const { code, output } = await ended;
    assert.equal(code, 75, output);
    assert.match(output, /Stopped: by a signal\. Run it again/);
    const { code: next, output: text } = await place.run(mode);
    assert.equal(next, 0, text);
  });
}

test('says now and then how far it is, in lines of their own', async (t) => {
  const place = await makePlace(t);
  place.server.faults.push({ stallAfter: 8192 });
  const child = place.start([], { PROGRESS_SECONDS: '1' });
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await waitFor(() => /downloaded 8\.2 kB.*\n/.test(output));
  child.kill('SIGTERM');
  await finish(child);
  // On a busy machine there are lines before the first bytes.
  assert.match(output, /^(downloaded 0 B .*\n)*downloaded 8\.2 kB of [\d.]+ kB \(\d+ %\).*\n/);
  assert.ok(!output.includes('\r'));
});

test('asks in a terminal before it deletes', { skip: has('script') ? false : 'no `script` here' }, async (t) => {
  const place = await makePlace(t);
  for (const name of ['street', 'yard']) mkdirSync(join(place.tree, 'train', name), { recursive: true });
  const ask = (answer: string) =>
    spawnSync('script', ['-qec', `bash "${place.project}/data_download.sh" --prune`, '/dev/null'], {
      input: `${answer}\n`,
      encoding: 'utf8',
    });
  const no = ask('');
  assert.equal(no.status, 2, no.stdout);
  assert.match(no.stdout, /Delete them\? \[y\/N\][\s\S]*nothing was deleted/);
  assert.deepEqual(readdirSync(join(place.tree, 'train')), ['street', 'yard']);
  const yes = ask('y');
  assert.equal(yes.status, 0, yes.stdout);
  assert.deepEqual(readdirSync(join(place.tree, 'train')), ['street']);
});

for (const lock of ['flock', 'mkdir']) {
  test(`two at once: the second waits or leaves (${lock})`, async (t) => {
    const place = await makePlace(t);
    const env = { PATH: pathWith(t, 'curl', ...(lock === 'flock' ? ['flock'] : [])) };
    place.server.faults.push({ stallAfter: 8192 });
    const first = place.start([], env);
    const ended = finish(first);
    await waitForPart(place, 8192);
    const second = await place.run([], env);
    assert.equal(second.code, 75);
    assert.match(second.output, /Stopped: another run is at work on .*process \d+ on /);
    const third = place.run([], { ...env, LOCK_SECONDS: '300' });
    await sleep(100);
    first.kill('SIGTERM');
    await ended;
    const { code, output } = await third;
    assert.equal(code, 0, output);
    assert.deepEqual(place.server.requests, ['HEAD', 'GET 0', 'HEAD', 'GET 8192']);
  });
}

test('a lock folder whose process is gone does not hold', async (t) => {
  const place = await makePlace(t);
  const env = { PATH: pathWith(t, 'curl') };
  place.server.faults.push({ stallAfter: 8192 });
  const first = place.start([], env);
  await waitFor(() => place.server.sentBytes > 0);
  process.kill(-(first.pid ?? 0), 'SIGKILL');
  await finish(first);
  assert.ok(existsSync(place.inInput('.data_download/lock.d')));
  const { code, output } = await place.run([], env);
  assert.equal(code, 0, output);
});

test('of several who find such a lock folder one downloads, and the others find all there', async (t) => {
  const place = await makePlace(t);
  const env = { PATH: pathWith(t, 'curl'), LOCK_SECONDS: '300' };
  mkdirSync(place.inInput('.data_download/lock.d'), { recursive: true });
  const host = execFileSync('uname', ['-n'], { encoding: 'utf8' });
  writeFileSync(place.inInput('.data_download/lock.d/holder'), `process 999999999 on ${host}`);
  for (const { code, output } of await Promise.all(Array.from({ length: 4 }, () => place.run([], env)))) {
    assert.equal(code, 0, output);
  }
  assert.deepEqual(place.server.requests, ['HEAD', 'GET 0']);
  assert.deepEqual(readdirSync(place.inInput('.data_download')), ['lock']);
});

test('prunes a tree to the list, asks first, and deletes links but not what they lead to', async (t) => {
  const place = await makePlace(t, 'street\nhouse\nhighway\n');
  const outside = join(place.project, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'precious.jpg'), '');
  for (const path of [
    'train/street',
    'train/street_market',
    'train/yard/deep',
    'val/street',
    'val/yard',
    'train/house',
  ]) {
    mkdirSync(join(place.tree, path), { recursive: true });
    writeFileSync(join(place.tree, path, '0001.jpg'), '');
  }
  writeFileSync(join(place.tree, 'train/notes.txt'), '');
  symlinkSync(outside, join(place.tree, 'train/linked'));
  symlinkSync(outside, join(place.tree, 'train/yard/link'));
  const before = filesIn(place.tree);

  const unasked = await place.run(['--prune']);
  assert.equal(unasked.code, 2);
  assert.match(unasked.output, /Warning: .* has no class highway/);
  assert.match(
    unasked.output,
    /3 folders of .* will stay, and these 4 folders will be deleted:\n {2}train\/linked \(a link/,
  );
  assert.match(unasked.output, /nothing is deleted without a yes/);
  assert.deepEqual(filesIn(place.tree), before);

  const pruned = await place.run(['--prune', place.tree, '--yes']);
  assert.equal(pruned.code, 0, pruned.output);
  assert.match(pruned.output, /Deleted 4 folders/);
  assert.deepEqual(filesIn(place.tree), [
    'train/house/0001.jpg',
    'train/notes.txt',
    'train/street/0001.jpg',
    'val/street/0001.jpg',
  ]);
  assert.deepEqual(readdirSync(outside), ['precious.jpg']);
  assert.match((await place.run(['--prune'])).output, /There is nothing to prune/);
});

test('prunes nothing that it does not understand', async (t) => {
  const place = await makePlace(t, 'street\n');
  const refuses = async (pattern: RegExp, ...args: string[]) => {
    const { code, output } = await place.run(['--yes', '--prune', ...args]);
    assert.equal(code, 2);
    assert.match(output, pattern);
  };
  await refuses(/there is no folder/);
  const outside = join(place.project, 'outside');
  mkdirSync(join(outside, 'yard'), { recursive: true });
  mkdirSync(place.tree, { recursive: true });
  await refuses(/has no class of .* nothing would remain/);
  symlinkSync(outside, join(place.tree, 'train'));
  await refuses(/train is a link/);
  await refuses(/nothing would remain/, place.project);
  writeFileSync(place.inInput('keep.txt'), '');
  await refuses(/names no class/);
  rmSync(place.inInput('keep.txt'));
  await refuses(/there is no .*keep\.txt, which would say/);
  assert.deepEqual(readdirSync(outside), ['yard']);
});

test('under PBS and Slurm, where it is a copy, the project is where it was submitted', async (t) => {
  for (const [name, more] of [
    ['PBS_O_WORKDIR', { PBS_ENVIRONMENT: 'PBS_BATCH' }],
    ['SLURM_SUBMIT_DIR', {}],
  ] as const) {
    const place = await makePlace(t);
    const spool = mkdtempSync(join(tmpdir(), 'deep-cnn-spool-'));
    t.after(() => rmSync(spool, { recursive: true, force: true }));
    copyFileSync(join(repository, 'data_download.sh'), join(spool, 'job.SC'));
    const run = (submitted: string) =>
      finish(
        spawn('bash', [join(spool, 'job.SC')], {
          cwd: spool,
          env: { PATH: process.env['PATH'], DATA_URL: place.server.url, FORCE: '1', [name]: submitted, ...more },
        }),
      );
    const { code, output } = await run(place.project);
    assert.equal(code, 0, output);
    assert.deepEqual(filesIn(place.tree), filesOf('street', 'house'));
    const wrong = await run(spool);
    assert.equal(wrong.code, 2);
    assert.match(wrong.output, /is not the project's folder\. Submit the job from there/);
  }
});

test('its directives stand before the first command, and its line ends are plain', () => {
  const lines = readFileSync(join(repository, 'data_download.sh'), 'utf8').split('\n');
  const head = lines.slice(
    0,
    lines.findIndex((line) => line !== '' && !line.startsWith('#')),
  );
  for (const start of ['#PBS -l walltime=', '#PBS -l select=1:ncpus=1', '#PBS -S /bin/bash', '#SBATCH --time=']) {
    assert.ok(
      head.some((line) => line.startsWith(start)),
      start,
    );
  }
  assert.ok(lines.every((line) => !line.endsWith('\r')));
});

test('says what is missing, and knows its options', async (t) => {
  const place = await makePlace(t);
  const bare = await place.run([], { PATH: pathWith(t) });
  assert.equal(bare.code, 2);
  assert.match(bare.output, /this needs curl or wget, which is not on PATH here/);
  for (const [args, pattern] of [
    [['--kepp'], /there is no option `--kepp`/],
    [['--input'], /--input needs a path/],
    [['--keep', 'nowhere'], /there is no file nowhere/],
  ] as const) {
    const { code, output } = await place.run(args);
    assert.equal(code, 2);
    assert.match(output, pattern);
  }
  assert.match((await place.run([], { RETRIES: 'many' })).output, /RETRIES must be a whole number/);
  const help = await place.run(['-h']);
  assert.equal(help.code, 0);
  assert.match(help.output, /--prune \[FOLDER\]/);
});

test('is clean by shellcheck', { skip: has('shellcheck') ? false : 'no shellcheck here' }, () => {
  const parts = readdirSync(join(repository, 'scripts/data-download')).map((name) => `scripts/data-download/${name}`);
  const { status, stdout } = spawnSync('shellcheck', ['-x', 'data_download.sh', ...parts], {
    cwd: repository,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout);
});
