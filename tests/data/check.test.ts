import assert from 'node:assert/strict';
import { join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CheckPhase, checkDataset, type Findings } from '#src/data/check.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { type Content, dataSet, pictures } from './data-set.js';
import { temporaryFolder, touch } from './temporary-folder.js';

const preprocessing = { ...preprocessings.resnet, resize: 32, crop: 32 };

async function check(t: TestContext, files: Readonly<Record<string, Content>>, valSplit = 0.2) {
  const folder = await dataSet(t, files);
  const findings = await checkDataset(folder, { valSplit, preprocessing, workers: 4 });
  return { folder, findings, name: (file: { path: string }) => relative(folder, file.path) };
}

// Of 10 images, those at 3 and 7 are for validation: a/3 and b/2.
const ten = { ...pictures('train/a', 5, 0), ...pictures('train/b', 5, 10) };
const val = { ...pictures('val/a', 1, 100), ...pictures('val/b', 2, 200) };

test('a sound data set gives counts and nothing else', async (t) => {
  const { findings } = await check(t, { ...ten, ...val });
  assert.deepEqual(findings.classes, [
    { name: 'a', train: 4, validation: 1, test: 1 },
    { name: 'b', train: 4, validation: 1, test: 2 },
  ]);
  const { images, unreadable, duplicates, small, mistakes, warnings } = findings;
  assert.equal(images, 13);
  assert.deepEqual([unreadable, duplicates, small, mistakes, warnings], [[], [], [], [], []]);
  assert.ok(findings.imagesPerSecond > 0 && findings.seconds > 0);
});

const duplicates: readonly {
  name: string;
  files: Readonly<Record<string, Content>>;
  groups: { kinds: Findings['duplicates'][number]['kinds']; files: string[] }[];
}[] = [
  {
    name: 'in train and val',
    files: { ...ten, ...val, 'val/a/x': 1 },
    groups: [{ kinds: ['train-test'], files: ['train/a/1', 'val/a/x'] }],
  },
  {
    name: 'in what is trained and what is validated on',
    files: { ...ten, ...val, 'train/a/0': 3 },
    groups: [{ kinds: ['train-validation'], files: ['train/a/0', 'train/a/3 validation'] }],
  },
  {
    name: 'in two classes',
    files: { ...ten, ...val, 'train/b/0': 1 },
    groups: [{ kinds: ['classes'], files: ['train/a/1', 'train/b/0'] }],
  },
  {
    name: 'in one class',
    files: { ...ten, ...val, 'train/b/0': 11, 'val/b/0': 201 },
    groups: [
      { kinds: ['copies'], files: ['train/b/0', 'train/b/1'] },
      { kinds: ['copies'], files: ['val/b/0', 'val/b/1'] },
    ],
  },
  {
    name: 'in every way at once',
    files: { ...ten, ...val, 'train/b/0': 3, 'val/b/0': 3 },
    groups: [
      {
        kinds: ['train-test', 'train-validation', 'classes'],
        files: ['train/a/3 validation', 'train/b/0', 'val/b/0'],
      },
    ],
  },
  { name: 'none but unreadable ones', files: { ...ten, ...val, 'train/a/0': 'x', 'val/a/0': 'x' }, groups: [] },
];

for (const { name, files, groups } of duplicates) {
  test(`the same picture ${name}`, async (t) => {
    const { findings, name: nameOf } = await check(t, files);
    const found = findings.duplicates.map((group) => ({
      kinds: group.kinds,
      files: group.files.map(
        (file) => nameOf(file).replace('.png', '') + (file.part === 'validation' ? ' validation' : ''),
      ),
    }));
    assert.deepEqual(found, groups);
  });
}

test('unreadable files are listed with their class, part and reason', async (t) => {
  const { findings, name } = await check(t, { ...ten, ...val, 'train/a/3': '', 'val/b/1': 'no image' });
  assert.deepEqual(
    findings.unreadable.map((file) => [name(file), file.class, file.part]),
    [
      ['train/a/3.png', 'a', 'validation'],
      ['val/b/1.png', 'b', 'test'],
    ],
  );
  assert.match(findings.unreadable[0]?.reason ?? '', /empty/);
  assert.match(findings.unreadable[1]?.reason ?? '', /no image/);
});

test('small images are listed with their size', async (t) => {
  const small = { 'train/b/0': { width: 31, height: 100 }, 'val/a/0': { width: 32, height: 32 } };
  const { findings, name } = await check(t, { ...ten, ...val, ...small, 'val/b/0': { width: 50, height: 7 } });
  assert.deepEqual(
    findings.small.map((file) => [name(file), file.width, file.height]),
    [
      ['train/b/0.png', 31, 100],
      ['val/b/0.png', 50, 7],
    ],
  );
});

test('every mistake is told at once, and what else is wrong besides', async (t) => {
  const { folder, findings } = await check(t, { ...pictures('train/a', 3, 0), 'val/b/0': 1, 'val/c/0': 'x' });
  assert.deepEqual(
    findings.mistakes.map((mistake) => mistake.split(':')[0]),
    [`Only one class in ${folder}/train`, `2 classes in ${folder}/val not in ${folder}/train`],
  );
  assert.match(findings.warnings.join(), /1 class is missing from .*\/val/);
  assert.equal(findings.duplicates.length, 1);
  assert.equal(findings.unreadable.length, 1);
  assert.deepEqual(findings.classes.at(2), { name: 'c', train: 0, validation: 0, test: 1 });
});

test('classes without an image are a mistake, a folder that is not there ends the check', async (t) => {
  const folder = temporaryFolder(t);
  touch(folder, 'train/a/0.txt', 'train/b/0.txt');
  const options = { valSplit: 0.2, preprocessing, workers: 4 };
  const { images, imagesPerSecond, mistakes, classes } = await checkDataset(folder, options);
  assert.deepEqual([images, imagesPerSecond, classes.length], [0, 0, 2]);
  assert.match(
    mistakes.join(),
    /^No images in .*\/train: expected JPEG[^.]*\. Add images or remove the empty folders\.$/,
  );
  await assert.rejects(checkDataset(join(folder, 'none'), options), {
    name: 'UserError',
    message: /^There is no folder/,
  });
});

test('each phase tells how far it is, up to the last image', async (t) => {
  const folder = await dataSet(t, { ...ten, ...val, 'val/a/x': 1 });
  const last = new Map<CheckPhase, string>();
  const onProgress = (phase: CheckPhase, done: number, total: number) => last.set(phase, `${done} of ${total}`);
  await checkDataset(folder, { valSplit: 0.2, preprocessing, workers: 4, onProgress });
  assert.deepEqual(
    [...last],
    [
      ['decode', '14 of 14'],
      ['size', '14 of 14'],
      ['compare', '14 of 14'],
    ],
  );
});
