import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { type ImageFolder, scanImageFolder } from '#src/data/image-folder.js';
import { UserError } from '#src/errors.js';
import { temporaryFolder, touch } from './temporary-folder.js';

/** Paths below the root with their labels, in the order of the list. */
function listed({ root, images }: ImageFolder): [string, number][] {
  return Array.from({ length: images.length }, (_, i) => {
    const { path, label } = images.at(i);
    return [relative(root, path), label];
  });
}

test('classes and images come in the order of torchvision', async (t) => {
  const root = temporaryFolder(t);
  touch(
    root,
    'b/2.png',
    'b/10.JPG',
    'b/sub/1.jpg',
    'b/sub-1/1.jpg',
    'b/sub/y/1.jpg',
    'B/x.jpeg',
    'a/.jpg',
    'a/z.webp',
    'a/note.txt',
  );
  touch(root, 'loose.jpg');
  const folder = await scanImageFolder(root);
  assert.deepEqual(folder.classes, ['B', 'a', 'b']);
  assert.deepEqual(folder.counts, [1, 2, 5]);
  // sorted(os.walk()) compares whole paths: 'sub-1' comes between 'sub' and 'sub/y'.
  assert.deepEqual(listed(folder), [
    ['B/x.jpeg', 0],
    ['a/.jpg', 1],
    ['a/z.webp', 1],
    ['b/10.JPG', 2],
    ['b/2.png', 2],
    ['b/sub/1.jpg', 2],
    ['b/sub-1/1.jpg', 2],
    ['b/sub/y/1.jpg', 2],
  ]);
});

test('links are followed, loops are not', async (t) => {
  const root = temporaryFolder(t);
  touch(root, 'elsewhere/shared/1.jpg', 'data/a/2.jpg', 'data/a/deep/3.jpg');
  symlinkSync(join(root, 'elsewhere/shared'), join(root, 'data/b'));
  symlinkSync(join(root, 'elsewhere/shared/1.jpg'), join(root, 'data/a/linked.jpg'));
  symlinkSync(join(root, 'nowhere.jpg'), join(root, 'data/a/broken.jpg'));
  symlinkSync(join(root, 'data/a'), join(root, 'data/a/deep/loop'));
  symlinkSync('.', join(root, 'data/a/self'));
  symlinkSync(join(root, 'elsewhere/shared'), join(root, 'data/a/more'));
  assert.deepEqual(listed(await scanImageFolder(join(root, 'data'))), [
    ['a/2.jpg', 0],
    ['a/broken.jpg', 0],
    ['a/linked.jpg', 0],
    ['a/deep/3.jpg', 0],
    ['a/more/1.jpg', 0],
    ['b/1.jpg', 1],
  ]);
});

test('image files of formats that cannot be read are counted', async (t) => {
  const root = temporaryFolder(t);
  touch(root, 'a/1.bmp', 'a/2.BMP', 'b/3.ppm', 'b/4.jpg', 'b/readme.md');
  const { leftOut, counts } = await scanImageFolder(root);
  assert.deepEqual([...leftOut].sort(), [
    ['bmp', 2],
    ['ppm', 1],
  ]);
  assert.deepEqual(counts, [0, 1]);
});

test('many folders keep their order', async (t) => {
  const root = temporaryFolder(t);
  const names = Array.from({ length: 60 }, (_, i) => `class-${String(i).padStart(2, '0')}`);
  for (const [i, name] of names.entries()) for (let j = 0; j <= i % 7; j++) touch(root, `${name}/${j}.jpg`);
  const folder = await scanImageFolder(root);
  assert.deepEqual(folder.classes, names);
  assert.deepEqual(
    listed(folder),
    names.flatMap((name, i) => Array.from({ length: (i % 7) + 1 }, (_, j) => [`${name}/${j}.jpg`, i])),
  );
  assert.throws(() => folder.images.at(folder.images.length), /^Error: internal: image/);
  assert.throws(() => folder.images.at(-1), /^Error: internal: image/);
});

test('a root that cannot be listed is named', async (t) => {
  const root = temporaryFolder(t);
  touch(root, 'file');
  mkdirSync(join(root, 'empty'));
  for (const name of ['missing', 'file']) {
    await assert.rejects(scanImageFolder(join(root, name)), (error: Error) => {
      return error instanceof UserError && error.message.includes(join(root, name));
    });
  }
  assert.deepEqual((await scanImageFolder(join(root, 'empty'))).classes, []);
});
