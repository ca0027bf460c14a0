import assert from 'node:assert/strict';
import { linkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findDuplicates } from '#src/data/duplicates.js';
import { fileSizes } from '#src/data/many-files.js';
import { temporaryFolder } from './temporary-folder.js';

/** Writes files and finds the duplicates among them; undefined stands for a file that is not there. */
async function among(t: TestContext, contents: readonly (string | Buffer | undefined)[]): Promise<number[][]> {
  const folder = temporaryFolder(t);
  const pathOf = (index: number) => join(folder, String(index));
  for (const [i, content] of contents.entries()) if (content !== undefined) writeFileSync(pathOf(i), content);
  const progress: number[] = [];
  const sizes = await fileSizes(contents.length, pathOf);
  const found = await findDuplicates({ sizes, pathOf, onProgress: (done) => progress.push(done) });
  assert.deepEqual(
    progress,
    [...progress].sort((a, b) => a - b),
  );
  if (progress.length > 0) assert.equal(progress.at(-1), contents.length);
  return found;
}

const long = (head: string, tail: string) => `${head}${'-'.repeat(3_000_000)}${tail}`;
/** More files than are looked at together. */
const many = Array.from({ length: 100 }, (_, i) => `same size ${String(i % 40).padStart(3)}`);

const cases: readonly { name: string; contents: readonly (string | Buffer | undefined)[]; groups: number[][] }[] = [
  { name: 'nothing', contents: [], groups: [] },
  { name: 'one file', contents: ['a'], groups: [] },
  { name: 'a pair', contents: ['a', 'b', 'a'], groups: [[0, 2]] },
  {
    name: 'two groups, by their first file',
    contents: ['bb', 'a', 'a', 'bb', 'a'],
    groups: [
      [0, 3],
      [1, 2, 4],
    ],
  },
  { name: 'equal sizes only', contents: ['ab', 'ba', 'bb'], groups: [] },
  { name: 'equal sizes and ends', contents: [long('a', 'z'), long('b', 'z'), long('a', 'z')], groups: [[0, 2]] },
  { name: 'empty files', contents: ['', '', 'a', 'a'], groups: [[2, 3]] },
  { name: 'bytes that are no text', contents: [Buffer.of(0xff, 0xfe), Buffer.of(0xff, 0xfd)], groups: [] },
  { name: 'a file that is not there', contents: [undefined, 'a', undefined, 'a'], groups: [[1, 3]] },
  {
    name: 'many of one size',
    contents: many,
    groups: Array.from({ length: 40 }, (_, i) => (i < 20 ? [i, i + 40, i + 80] : [i, i + 40])),
  },
];

for (const { name, contents, groups } of cases) {
  test(`duplicates among ${name}`, async (t) => assert.deepEqual(await among(t, contents), groups));
}

test('files of size 0 are not looked at, whatever they hold', async (t) => {
  const folder = temporaryFolder(t);
  const pathOf = (index: number) => join(folder, String(index));
  for (let i = 0; i < 3; i++) writeFileSync(pathOf(i), 'a');
  assert.deepEqual(await findDuplicates({ sizes: Float64Array.of(1, 0, 1), pathOf }), [[0, 2]]);
});

test('a file that vanishes meanwhile is passed over; two names of one file are duplicates', async (t) => {
  const folder = temporaryFolder(t);
  const pathOf = (index: number) => join(folder, String(index));
  for (let i = 0; i < 3; i++) writeFileSync(pathOf(i), 'a');
  const sizes = await fileSizes(3, pathOf);
  rmSync(pathOf(0));
  rmSync(pathOf(1));
  linkSync(pathOf(2), pathOf(1));
  assert.deepEqual(await findDuplicates({ sizes, pathOf }), [[1, 2]]);
});
