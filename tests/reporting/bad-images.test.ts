import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createBadImageList } from '#src/reporting/bad-images.js';

function listIn(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-bad-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'run.bad.csv');
  const failures: unknown[] = [];
  const list = createBadImageList({ path, onFailure: (error) => failures.push(error) });
  return {
    path,
    failures,
    list,
    tell: (image: string, reason = 'an empty file') => list.handle({ kind: 'bad-image', path: image, reason }),
    text: () => readFileSync(path, 'utf8'),
  };
}

test('the file appears with the first bad image, and each row when it is told', async (t) => {
  const { list, path, failures, tell, text } = listIn(t);
  list.handle({ kind: 'warning', message: 'something else' });
  assert.ok(!existsSync(path));
  tell('/data/a.jpg');
  assert.equal(text(), 'path,reason\n/data/a.jpg,an empty file\n');
  tell('/data/b, "c"\n.jpg', 'a folder');
  assert.equal(text(), 'path,reason\n/data/a.jpg,an empty file\n"/data/b, ""c""\n.jpg",a folder\n');
  await list.close();
  assert.equal(text().split('\n').length, 5);
  assert.deepEqual(failures, []);
});

test('without a bad image there is no file', async (t) => {
  const { list, path } = listIn(t);
  await list.close();
  assert.ok(!existsSync(path));
});

const earlier: readonly { name: string; file: string; kept: string }[] = [
  { name: 'an empty file', file: '', kept: 'path,reason\n' },
  { name: 'a heading', file: 'path,reason\n', kept: 'path,reason\n' },
  { name: 'half a heading', file: 'path,rea', kept: 'path,reason\n' },
  { name: 'rows', file: 'path,reason\n/ü.jpg,x\n"a\n",y\n', kept: 'path,reason\n/ü.jpg,x\n"a\n",y\n' },
  { name: 'a row cut off', file: 'path,reason\n/ü.jpg,x\nnew.j', kept: 'path,reason\n/ü.jpg,x\n' },
  { name: 'a quoted row cut off', file: 'path,reason\n/ü.jpg,x\n"a\n', kept: 'path,reason\n/ü.jpg,x\n' },
];

for (const { name, file, kept } of earlier) {
  test(`going on after ${name} keeps what is whole and repeats none of it`, (t) => {
    const { path, tell, text } = listIn(t);
    writeFileSync(path, file);
    const isListed = kept.includes('ü');
    tell('/ü.jpg', 'x');
    assert.equal(text(), isListed ? kept : `${kept}/ü.jpg,x\n`);
    tell('new.jpg', 'z');
    assert.equal(text(), `${isListed ? kept : `${kept}/ü.jpg,x\n`}new.jpg,z\n`);
  });
}

test('a file that cannot be written is complained of once, and written when it can be', async (t) => {
  const { list, path, failures, tell, text } = listIn(t);
  mkdirSync(path);
  tell('a.jpg');
  tell('b.jpg');
  assert.equal(failures.length, 1);
  assert.match(String(failures[0]), /EISDIR/);
  rmSync(path, { recursive: true });
  await list.close();
  assert.equal(text(), 'path,reason\na.jpg,an empty file\nb.jpg,an empty file\n');
});
