import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Dataset, openDataset } from '#src/data/dataset.js';
import type { ImageList } from '#src/data/image-list.js';
import { UserError } from '#src/errors.js';
import { temporaryFolder, touch } from './temporary-folder.js';

const five = ['1', '2', '3', '4', '5'];
const twoClasses = five.flatMap((i) => [`train/a/${i}.jpg`, `train/b/${i}.jpg`]);

function openFiles(t: TestContext, paths: readonly string[], valSplit = 0.2): Promise<Dataset> {
  const dataDir = temporaryFolder(t);
  touch(dataDir, ...paths);
  return openDataset(dataDir, { valSplit });
}

function described(list: ImageList | undefined): string[] {
  return Array.from({ length: list?.length ?? 0 }, (_, i) => {
    const image = list?.at(i);
    return `${image?.path.split('/').slice(-2).join('/')} ${image?.label}`;
  });
}

test('train is split as in the original, val is held out', async (t) => {
  const dataset = await openFiles(t, [...twoClasses, 'val/a/9.jpg', 'val/b/9.jpg']);
  assert.deepEqual(dataset.classes, ['a', 'b']);
  // The permutation of 10 is 2 6 1 8 4 5 0 9 | 3 7.
  assert.deepEqual(described(dataset.train), [
    'a/3.jpg 0',
    'b/2.jpg 1',
    'a/2.jpg 0',
    'b/4.jpg 1',
    'a/5.jpg 0',
    'b/1.jpg 1',
    'a/1.jpg 0',
    'b/5.jpg 1',
  ]);
  assert.deepEqual(described(dataset.validation), ['a/4.jpg 0', 'b/3.jpg 1']);
  assert.deepEqual(described(dataset.test), ['a/9.jpg 0', 'b/9.jpg 1']);
  assert.deepEqual(dataset.warnings, []);
});

test('without a val folder there is a warning and no test', async (t) => {
  const { test, warnings } = await openFiles(t, twoClasses);
  assert.equal(test, undefined);
  assert.match(warnings.join(), /^There is no folder .*\/val: the test at the end is left out\.$/);
});

test('test labels are indices into the classes of train', async (t) => {
  const { test, warnings } = await openFiles(t, [...twoClasses, 'train/c/1.jpg', 'val/c/1.jpg']);
  assert.deepEqual(described(test), ['c/1.jpg 2']);
  assert.match(warnings.join(), /^2 classes are missing from .*\/val, so the test says nothing of: a, b\.$/);
});

test('image files that cannot be read are counted in a warning', async (t) => {
  const { warnings } = await openFiles(t, [
    ...twoClasses,
    'train/a/6.bmp',
    'val/a/1.jpg',
    'val/b/1.jpg',
    'val/b/1.ppm',
  ]);
  assert.match(warnings[0] ?? '', /^1 image file in .*\/train left out, .*\(1 \.bmp\): convert them to PNG\.$/);
  assert.match(warnings[1] ?? '', /^1 image file in .*\/val left out, .*\(1 \.ppm\)/);
});

test('val_split=0 leaves no validation images', async (t) => {
  const { train, validation } = await openFiles(t, twoClasses, 0);
  assert.deepEqual([train.length, validation.length], [10, 0]);
});

const mistakes: readonly { name: string; files: readonly string[]; valSplit?: number; message: RegExp }[] = [
  { name: 'no train folder', files: ['val/a/1.jpg'], message: /There is no folder .*\/train\. Put the images into/ },
  { name: 'a file as train', files: ['train'], message: /\/train is no folder: found a file/ },
  { name: 'no classes', files: ['train/1.jpg'], message: /No classes in .*\/train: expected a folder for each class/ },
  { name: 'no images', files: ['train/a/x.txt', 'train/b/y.txt'], message: /No images in .*\/train: expected JPEG/ },
  {
    name: 'only unreadable images',
    files: ['train/a/x.bmp', 'train/b/y.bmp'],
    message: /2 image files .* \(2 \.bmp\)/,
  },
  { name: 'one class', files: ['train/a/1.jpg', 'train/a/2.jpg'], message: /Only one class in .*\/train: .*found a\./ },
  {
    name: 'an empty class',
    files: [...twoClasses, 'train/c/x.txt'],
    message: /No images in 1 class folder of .*found none in c\./,
  },
  {
    name: 'too few to split',
    files: ['train/a/1.jpg', 'train/b/1.jpg'],
    valSplit: 0.6,
    message: /Too few images .*--val_split=0\.6: .*found 0 and 2/,
  },
  {
    name: 'none left to validate',
    files: ['train/a/1.jpg', 'train/b/1.jpg'],
    valSplit: 1e-9,
    message: /found 2 and 0/,
  },
  {
    name: 'an unknown class in val',
    files: [...twoClasses, 'val/a/1.jpg', 'val/zebra/1.jpg'],
    message: /1 class in .*\/val not in .*\/train: found zebra\./,
  },
  { name: 'a file as val', files: [...twoClasses, 'val'], message: /\/val is no folder: found a file/ },
  { name: 'an empty val folder', files: [...twoClasses, 'val/x.txt'], message: /No classes in .*\/val/ },
  {
    name: 'an empty class in val',
    files: [...twoClasses, 'val/a/x.txt', 'val/b/1.jpg'],
    message: /of .*\/val: .*found none in a\./,
  },
];

for (const { name, files, valSplit, message } of mistakes) {
  test(`${name}: a mistake told in one line`, async (t) => {
    await assert.rejects(openFiles(t, files, valSplit), (error: Error) => {
      assert.ok(error instanceof UserError, error.stack);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });
}

test('a missing data_dir is named', async (t) => {
  const missing = join(temporaryFolder(t), 'nowhere');
  await assert.rejects(openDataset(missing, { valSplit: 0.2 }), {
    name: 'UserError',
    message: `There is no folder ${missing}. Check the path.`,
  });
});
