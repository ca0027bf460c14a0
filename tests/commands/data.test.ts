import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { dataOptions, runData } from '#src/commands/data.js';
import { type Given, readOptions } from '#src/options/given.js';
import { type Content, dataSet, pictures } from '../data/data-set.js';

async function run(...args: string[]): Promise<{ status: number; text: string }> {
  const given = new Map<string, Given>();
  for (const argument of args) {
    const [, name, value] = /^--([^=]+)=?(.*)$/.exec(argument) ?? [];
    if (name !== undefined) given.set(name, { value: value || true, where: `--${name}` });
  }
  const printed: string[] = [];
  const operands = args.filter((argument) => !argument.startsWith('--'));
  const status = await runData(operands, readOptions(dataOptions, [given]), { print: (text) => printed.push(text) });
  return { status, text: printed.join('') };
}

const ten = { ...pictures('train/a', 5, 0), ...pictures('train/b', 5, 10) };
const val = { ...pictures('val/a', 1, 100), ...pictures('val/b', 2, 200) };

async function checkedText(t: TestContext, files: Readonly<Record<string, Content>>, ...options: string[]) {
  const folder = await dataSet(t, files);
  return { folder, ...(await run('check', folder, ...options)) };
}

test('a sound data set: counts, no problem, exit code 0', async (t) => {
  const { folder, status, text } = await checkedText(t, { ...ten, ...val });
  assert.equal(status, 0);
  const [head, train, inVal, sizes, seconds, ...rest] = text.split('\n');
  assert.deepEqual(
    [head, train, inVal, sizes],
    [
      folder,
      '  train  10 images of 2 classes: 8 to train on, 2 to validate on (--val_split=0.2)',
      '  val    3 images of 2 classes',
      '  class  5 images of each in train',
    ],
  );
  assert.match(seconds ?? '', /^All checked in \d+\.\d s \(decoding: [\d,]+ images\/s\)\.$/);
  assert.deepEqual(rest, ['', 'No problems found.', '']);
});

const oneBad = { ...pictures('train/a', 97, 1000), ...pictures('train/b', 1, 2000), 'train/b/x': 'no image' };

const cases: readonly {
  name: string;
  files: Readonly<Record<string, Content>>;
  options?: string[];
  status: number;
  says: readonly RegExp[];
}[] = [
  {
    name: 'a picture in train and val is a problem',
    files: { ...ten, ...val, 'val/a/x': 1 },
    status: 2,
    says: [/^! 1 picture in train and in val: [^\n]+\n {4}train\/a\/1\.png = val\/a\/x\.png$/m],
  },
  {
    name: 'a picture on both sides of the split is a problem',
    files: { ...ten, ...val, 'train/a/0': 3 },
    status: 2,
    says: [
      /^! 1 picture more than once in train, on both sides of --val_split=0\.2: [^\n]+\n {4}train\/a\/0\.png = train\/a\/3\.png \(validation\)$/m,
    ],
  },
  {
    name: 'without a split it is a copy',
    files: { ...ten, ...val, 'train/a/0': 3 },
    options: ['--val_split=0'],
    status: 0,
    says: [/No problems found\.\n\nWorth knowing\n- 1 picture more than once in one class\.\n/],
  },
  {
    name: 'a picture in two classes is worth knowing',
    files: { ...ten, ...val, 'train/b/0': 1 },
    status: 0,
    says: [
      /^- 1 picture in more than one class: at most one can be right\.\n {4}train\/a\/1\.png = train\/b\/0\.png$/m,
    ],
  },
  {
    name: 'more than 1 % unreadable is a problem',
    files: { ...oneBad },
    status: 2,
    says: [/^! 1 image can't be read; a run leaves out at most 1 % of 99, 0\.\n {4}train\/b\/x\.png: something that /m],
  },
  {
    name: 'fewer are not; large differences between classes are worth knowing',
    files: { ...oneBad, 'train/a/97': 999 },
    status: 0,
    says: [
      /No problems found\./,
      /^- 1 image can't be read; a run leaves out at most 1 % of 100, 1\.$/m,
      / class {2}2 \(b\) to 98 \(a\) images in train, median 50, ratio 49\.0$/m,
      /^- The largest class has 49\.0 times the images of the smallest: --class_weights=auto /m,
      /^- There is no folder .*\/val: the test at the end is left out\.$/m,
      /^ {2}val {4}none$/m,
    ],
  },
  {
    name: 'what keeps a run from starting is a problem, and all of it is told',
    files: { ...pictures('train/a', 2, 0), 'val/b/0': 5 },
    status: 2,
    says: [/^! Only one class in /m, /^! 1 class in .*\/val not in /m, /^- 1 class is missing from .*\/val/m],
  },
  {
    name: 'classes that the split leaves without images, and small images, are worth knowing',
    files: { ...pictures('train/a', 3, 0), ...pictures('train/b', 1, 10), 'train/c/0': { width: 9, height: 40 } },
    status: 0,
    says: [
      /^- \d class(es have| has) no image to validate on with --val_split=0\.2\.$/m,
      /^- 1 image has a side shorter than 32 pixels\.\n {4}train\/c\/0\.png: 9 x 40$/m,
    ],
  },
];

for (const { name, files, options = [], status, says } of cases) {
  test(name, async (t) => {
    const { status: found, text } = await checkedText(t, files, ...options);
    for (const pattern of says) assert.match(text, pattern);
    assert.equal(found, status, text);
  });
}

test('only the first 20 unreadable files are printed; the table has all, and the duplicates', async (t) => {
  const bad = Object.fromEntries(Array.from({ length: 23 }, (_, i) => [`train/a/bad, ${i}`, 'no image']));
  const csv = join(await dataSet(t, {}), 'found.csv');
  const files = { ...ten, ...val, ...bad, 'val/a/x': 1 };
  const { folder, status, text } = await checkedText(t, files, `--csv=${csv}`);
  assert.equal(status, 2);
  assert.equal(text.match(/bad, \d+\.png: /g)?.length, 20);
  assert.match(text, /\n {4}and 3 more\n/);
  const rows = readFileSync(csv, 'utf8').trimEnd().split('\n');
  assert.equal(rows[0], 'finding,path,detail');
  assert.equal(rows.filter((row) => row.startsWith(`unreadable,"${folder}/train/a/bad, `)).length, 23);
  assert.deepEqual(rows.slice(24), [
    `duplicate,${folder}/train/a/1.png,"train-test, group 1"`,
    `duplicate,${folder}/val/a/x.png,"train-test, group 1"`,
  ]);
});

test('of a large group the first four are printed, and of many groups the first five', async (t) => {
  const copies = Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`train/c/${i + 10}`, i < 8 ? 300 : 301]));
  const pairs = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`train/d/${i + 10}`, 400 + (i >> 1)]));
  const { text } = await checkedText(t, { ...ten, ...val, ...copies, ...pairs }, '--val_split=0');
  assert.match(text, /^ {4}train\/c\/10\.png = train\/c\/11\.png = train\/c\/12\.png = train\/c\/13\.png and 4 more$/m);
  assert.match(text, /^- 8 pictures more than once in one class\.\n( {4}train.*\n){5} {4}and 3 more$/m);
});

test('a name that holds control characters stays on its line', async (t) => {
  const { text } = await checkedText(t, { ...ten, ...val, 'train/a/x\n\x1b[2J': 'no image' });
  assert.match(text, /^ {4}train\/a\/x\\n\\u001b\[2J\.png: /m);
});

test('--json prints one object with everything', async (t) => {
  const { folder, status, text } = await checkedText(t, { ...ten, ...val, 'val/a/x': 1, 'val/a/y': '' }, '--json');
  assert.equal(status, 2);
  const report = JSON.parse(text);
  assert.equal(report.data_dir, folder);
  assert.deepEqual(report.classes, [
    { name: 'a', train: 4, validation: 1, test: 3 },
    { name: 'b', train: 4, validation: 1, test: 2 },
  ]);
  assert.deepEqual(report.class_sizes.ratio, 1);
  assert.equal(report.problems.length, 2);
  assert.deepEqual(report.unreadable, [
    { path: `${folder}/val/a/y.png`, class: 'a', part: 'test', reason: 'an empty file' },
  ]);
  assert.deepEqual(report.duplicates, [
    {
      kinds: ['train-test'],
      files: [
        { path: `${folder}/train/a/1.png`, class: 'a', part: 'train' },
        { path: `${folder}/val/a/x.png`, class: 'a', part: 'test' },
      ],
    },
  ]);
});

test('mistakes are told before anything is read or written', async (t) => {
  const folder = await dataSet(t, ten);
  mkdirSync(join(folder, 'taken'));
  const mistakes: readonly [args: string[], message: RegExp][] = [
    [[], /Bad use of deep-cnn data: expected check and one folder after it, found nothing\./],
    [['check'], /found 'check'\./],
    [['chek', folder], /Did you mean check\?/],
    [['check', folder, 'more'], /expected check and one folder/],
    [['check', join(folder, 'none')], /There is no folder /],
    [['check', join(folder, 'train/a/0.png')], /is no folder/],
    [['check', join(folder, 'train')], /There is no folder .*\/train\/train\. Put the images into/],
    [['check', folder, '--val_split=1'], /Bad value for --val_split/],
    [
      ['check', folder, `--csv=${join(folder, 'none/x.csv')}`],
      /Bad value for csv: expected a file that can be written/,
    ],
    [['check', folder, `--csv=${join(folder, 'taken')}`], /it is a folder/],
  ];
  for (const [args, message] of mistakes) {
    await assert.rejects(run(...args), { name: 'UserError', message }, args.join(' '));
  }
  assert.ok(!existsSync(join(folder, 'none')));
});

test('a table that cannot be written in the end is a mistake too, after the report', async (t) => {
  const folder = await dataSet(t, ten);
  const printed: string[] = [];
  // Long enough for the temporary name to be too long.
  const values = readOptions(dataOptions, [
    new Map([['csv', { value: join(folder, 'x'.repeat(250)), where: '--csv' }]]),
  ]);
  await assert.rejects(runData(['check', folder], values, { print: (text) => printed.push(text) }), {
    name: 'UserError',
    message: /^Bad value for csv: expected a file that can be written, found '.*ENAMETOOLONG/,
  });
  assert.match(printed.join(), /No problems found/);
});

test('on the command line the report is on stdout, and the exit code says whether there is a problem', async (t) => {
  const folder = await dataSet(t, { ...ten, 'val/a/0': 1, 'val/b/0': 11 });
  const cli = join(process.cwd(), 'dist/cli.js');
  const args = [cli, 'data', 'check', folder, '--val-split', '0'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 2, stderr: '' });
  assert.match(stdout, /^\/.*\n {2}train {2}10 images of 2 classes: .*\n! 2 pictures in train and in val: /s);
});
