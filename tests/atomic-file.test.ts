import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { removeLeftovers, writeAll, writeAtomically, writeTextAtomically } from '#src/atomic-file.js';
import { smallDisk } from './small-disk.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-atomic-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const old = 'what was there before';
const fresh = Buffer.from('0123456789'.repeat(1000));
const save = (path: string) => writeAtomically(path, (file) => writeAll(file, fresh));

/** The class of file handles, whose methods a test may replace. */
async function handles(): Promise<FileHandle> {
  const file = await open(join(folder, 'any'), 'w');
  await file.close();
  rmSync(join(folder, 'any'));
  return Object.getPrototypeOf(file);
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

test('a file is replaced whole, and nothing else is left', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, old);
  await save(path);
  assert.deepEqual(readFileSync(path), fresh);
  writeTextAtomically(path, 'text');
  assert.equal(readFileSync(path, 'utf8'), 'text');
  assert.deepEqual(readdirSync(folder), ['file']);
});

test('a system that writes a part at a time gets the rest, too', async (t) => {
  const prototype = await handles();
  const { write } = prototype;
  const sizes: number[] = [];
  const writeHalf = function (this: FileHandle, bytes: Uint8Array, offset: number, length: number) {
    sizes.push(length);
    return Reflect.apply(write, this, [bytes, offset, Math.ceil(length / 2)]);
  };
  t.mock.method(prototype, 'write', writeHalf);
  await save(join(folder, 'file'));
  assert.deepEqual(readFileSync(join(folder, 'file')), fresh);
  assert.ok(sizes.length > 10);
});

for (const method of ['write', 'sync'] as const) {
  test(`a disk that is full at ${method} leaves the old file, and no other`, async (t) => {
    const path = join(folder, 'file');
    writeFileSync(path, old);
    t.mock.method(await handles(), method, async () => {
      throw failure('ENOSPC');
    });
    await assert.rejects(save(path), { code: 'ENOSPC' });
    assert.equal(readFileSync(path, 'utf8'), old);
    assert.deepEqual(readdirSync(folder), ['file']);
  });
}

test('a disk that is full at close leaves the old file, and no other', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, old);
  const write = async (file: FileHandle) => {
    const close = file.close.bind(file);
    file.close = async () => {
      await close();
      throw failure('ENOSPC');
    };
  };
  await assert.rejects(writeAtomically(path, write), { code: 'ENOSPC' });
  assert.equal(readFileSync(path, 'utf8'), old);
  assert.deepEqual(readdirSync(folder), ['file']);
});

test('a disk that is really full leaves the old file, and no other', async (t) => {
  const disk = smallDisk(t, 16384);
  if (disk === undefined) return;
  const path = join(disk, 'file');
  writeFileSync(path, old);
  await assert.rejects(
    save(path).then(() => writeAtomically(path, (file) => writeAll(file, Buffer.alloc(20_000)))),
    {
      code: 'ENOSPC',
    },
  );
  assert.deepEqual(readFileSync(path), fresh);
  assert.throws(() => writeTextAtomically(path, 'x'.repeat(20_000)), { code: 'ENOSPC' });
  assert.deepEqual(readFileSync(path), fresh);
  assert.deepEqual(readdirSync(disk), ['file']);
});

test('a writer that fails leaves the old file, and no other', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, old);
  await assert.rejects(
    writeAtomically(path, async (file) => {
      await writeAll(file, fresh);
      throw new Error('no more');
    }),
    /no more/,
  );
  assert.equal(readFileSync(path, 'utf8'), old);
  assert.deepEqual(readdirSync(folder), ['file']);
});

for (const code of ['EINVAL', 'EPERM', 'ENOTSUP', 'EISDIR', 'EACCES']) {
  test(`a file system that answers ${code} to fsync of a folder is written to all the same`, async (t) => {
    const prototype = await handles();
    const { sync } = prototype;
    let refused = 0;
    t.mock.method(prototype, 'sync', async function (this: FileHandle) {
      if (!(await this.stat()).isDirectory()) return sync.call(this);
      refused += 1;
      throw failure(code);
    });
    await save(join(folder, 'file'));
    assert.equal(refused, 1);
    assert.deepEqual(readFileSync(join(folder, 'file')), fresh);
  });
}

test('a disk that fails to keep the file is told, whatever fsync may be refused for', async (t) => {
  const prototype = await handles();
  t.mock.method(prototype, 'sync', async () => {
    throw failure('EIO');
  });
  await assert.rejects(save(join(folder, 'file')), { code: 'EIO' });
});

test('the file is on the disk before it gets its name, and its name before the save is over', async (t) => {
  const path = join(folder, 'file');
  writeFileSync(path, old);
  const prototype = await handles();
  const { sync } = prototype;
  const seen: [boolean, string][] = [];
  t.mock.method(prototype, 'sync', async function (this: FileHandle) {
    seen.push([(await this.stat()).isDirectory(), readFileSync(path, 'utf8').slice(0, 4)]);
    return sync.call(this);
  });
  await save(path);
  assert.deepEqual(seen, [
    [false, 'what'],
    [true, '0123'],
  ]);
});

/** A process that saves over `file` and kills itself in the `call`-th of its writes, syncs and renames. */
function killedSave(call: number) {
  const program = `
    import promises from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    let calls = 0;
    const killer = (original) => function (...args) {
      calls += 1;
      if (calls === ${call}) process.kill(process.pid, 'SIGKILL');
      return original.apply(this, args);
    };
    const any = await promises.open('/dev/null');
    for (const name of ['write', 'sync']) Object.getPrototypeOf(any)[name] = killer(Object.getPrototypeOf(any)[name]);
    promises.rename = killer(promises.rename);
    syncBuiltinESMExports();
    const { writeAll, writeAtomically } = await import(${JSON.stringify(import.meta.resolve('#src/atomic-file.js'))});
    await writeAtomically('file', async (file) => {
      for (const half of ['new ', 'text']) await writeAll(file, Buffer.from(half));
    });`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: folder, encoding: 'utf8' });
}

test('a save that is killed anywhere leaves the old file or the new one, and what else it leaves is removed', async () => {
  const path = join(folder, 'file');
  const after: string[] = [];
  for (let call = 1; call <= 6; call++) {
    writeFileSync(path, old);
    const { signal, status, stderr } = killedSave(call);
    assert.equal(stderr, '');
    assert.equal(signal, call <= 5 ? 'SIGKILL' : null);
    assert.equal(status, call <= 5 ? null : 0);
    after.push(readFileSync(path, 'utf8'));
    if (call <= 4) assert.equal(readdirSync(folder).length, 2);
    await removeLeftovers(folder);
    assert.deepEqual(readdirSync(folder), ['file']);
  }
  assert.deepEqual(after, [old, old, old, old, 'new text', 'new text']);
});

test('leftovers of live processes and of other machines stay for a day, and other files for good', async () => {
  await save(join(folder, 'file'));
  let own = '';
  await writeAtomically(join(folder, 'file'), async () => {
    own = readdirSync(folder).find((name) => name.endsWith('.tmp')) ?? '';
  });
  assert.match(own, new RegExp(`^\\.file\\.${process.pid}-[0-9a-f]{8}\\.tmp$`));
  const elsewhere = '.file.99999999-00000000.tmp';
  const others = ['.mine.tmp', 'file.1-00000000.tmp', '.file.x-00000000.tmp'];
  for (const name of [own, elsewhere, ...others]) writeFileSync(join(folder, name), '');
  await removeLeftovers(folder);
  assert.deepEqual(readdirSync(folder).sort(), ['file', own, elsewhere, ...others].sort());
  const long = Date.now() / 1000 - 2 * 24 * 60 * 60;
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), long, long);
  await removeLeftovers(folder);
  assert.deepEqual(readdirSync(folder).sort(), ['file', ...others].sort());
  await removeLeftovers(join(folder, 'not there'));
});
