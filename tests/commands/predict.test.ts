import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { predictCommand, runPrediction } from '#src/commands/predict.js';
import { readOptions } from '#src/options/given.js';
import { readCsvRows } from '#src/reporting/csv.js';
import { writeSafetensors } from '#src/weights/safetensors.js';
import { referenceNetwork } from '../export/reference-network.js';

const images = 'tests/places_test_input/val';

describe('deep-cnn predict', () => {
  let root = '';
  let weights = '';

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'deep-cnn-predict-'));
    weights = join(root, 'network.safetensors');
    const classes = (await readdir(images)).sort();
    const { model, preprocessing, ...network } = referenceNetwork('squeezenet1_1', { classes: classes.length });
    await writeSafetensors(weights, {
      weights: network.weights,
      metadata: { model, classes: JSON.stringify(classes), preprocessing: JSON.stringify(preprocessing) },
    });
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function run(operands: readonly string[], given: Record<string, string> = {}, list = '') {
    const all = { weights, root_dir: root, device: 'cpu', batch_size: '8', ...given };
    const options = new Map(Object.entries(all).map(([name, value]) => [name, { value, where: `--${name}` }]));
    const stdout = new PassThrough();
    const told: string[] = [];
    const written = textOf(stdout);
    const code = await runPrediction(readOptions(predictCommand.options, [options]), operands, {
      stdin: () => Readable.from([Buffer.from(list)]),
      stdout,
      stderr: new PassThrough(),
      tell: (line) => told.push(line),
    });
    stdout.end();
    return { code, text: await written, told };
  }

  const rowsOf = (text: string) => readCsvRows(text).rows;

  test('one row an image, in order, whatever the size of batches', async () => {
    const { code, text, told } = await run([images]);
    assert.equal(code, 0);
    const [heading, ...rows] = rowsOf(text);
    assert.deepEqual(heading, ['image', 'category', 'probability', 'true_class', 'correct', 'error']);
    assert.equal(rows.length, 20);
    const paths = rows.map(([path = '']) => path);
    assert.deepEqual(paths, [...paths].sort());
    for (const [path = '', category, , truth, correct] of rows) {
      assert.equal(path.split('/').at(-2), truth);
      assert.equal(correct, String(category === truth));
    }
    assert.match(told.join(), /^20 images in .* s; \d+ of 20 with a known class are right$/);
    const { text: again } = await run([images], { batch_size: '3' });
    assert.deepEqual(
      rowsOf(again).map((row) => row.slice(0, 2)),
      rowsOf(text).map((row) => row.slice(0, 2)),
    );
  });

  test('unreadable images are rows with a reason, in their place', async () => {
    const folder = join(root, 'mixed, "odd"\nö');
    await mkdir(folder);
    await writeFile(join(folder, 'a.jpg'), '');
    await sharp({ create: { width: 80, height: 70, channels: 3, background: 'red' } }).toFile(join(folder, 'b.png'));
    await writeFile(join(folder, 'c.jpg'), 'no image');
    const { code, text, told } = await run([folder]);
    assert.equal(code, 0);
    const rows = rowsOf(text).slice(1);
    assert.deepEqual(
      rows.map(([path, , , , , error]) => [path, error]),
      [
        [join(folder, 'a.jpg'), 'an empty file'],
        [join(folder, 'b.png'), ''],
        [join(folder, 'c.jpg'), 'something that is no image of a known format'],
      ],
    );
    assert.match(told.join(), /^1 image in .*; 2 can't be read$/);
    const none = await run([join(folder, 'a.jpg')], { json: 'True' });
    assert.equal(none.code, 2);
    assert.deepEqual(JSON.parse(none.text), { image: join(folder, 'a.jpg'), error: 'an empty file' });
  });

  test('a list on standard input, and a file that appears whole', async () => {
    const output = join(root, 'new', 'predictions.csv');
    const { text, code } = await run(['-'], { output }, 'none.jpg\n');
    assert.equal(text, '');
    assert.equal(code, 2);
    assert.match(await readFile(output, 'utf8'), /^none\.jpg,,,,,no such file/m);
    assert.deepEqual(await readdir(join(root, 'new')), ['predictions.csv']);
  });

  test('refuses what leads nowhere, and leaves nothing of a file', async () => {
    const output = join(root, 'untouched.csv');
    const empty = join(root, 'empty');
    await mkdir(empty);
    await assert.rejects(run([], { output }), /No images to look at/);
    await assert.rejects(run(['none'], { output }), /There is no file or folder none/);
    await assert.rejects(run([empty], { output }), /There are no images: found none in '.*empty'/);
    await assert.rejects(
      run([images], { output, explain: 'True', class: 'Alley' }),
      /Bad value for class.*found 'Alley'/,
    );
    await assert.rejects(run([images], { output, class: 'alley' }), /--class explains nothing by itself/);
    await assert.rejects(run([images], { output: join(weights, 'x.csv') }), /Cannot write to .*--output/);
    assert.ok(!(await readdir(root)).some((name) => name.includes('untouched')));
  });

  test('explains with pictures of the shape of the images', async () => {
    const folder = join(root, 'wide');
    await mkdir(folder);
    await sharp({ create: { width: 1600, height: 400, channels: 3, background: '#808080' } }).toFile(
      join(folder, 'x.png'),
    );
    const output = join(root, 'why.csv');
    await run([folder], { output, explain: 'True', top_k: '2' });
    const [heading = [], row = []] = rowsOf(await readFile(output, 'utf8'));
    const picture = row[heading.indexOf('explanation')] ?? '';
    assert.equal(picture, join(root, 'why-explained', '000001-x.jpg'));
    const { data, info } = await sharp(picture).raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [1024, 256]);
    // What the network did not see is darker than it was; the middle of what it saw is not.
    const grey = (x: number) => data[(128 * info.width + x) * 3 + 1] ?? 0;
    assert.ok(Math.abs(grey(10) - 64) < 4 && Math.abs(grey(1000) - 64) < 4);
    assert.ok([400, 512, 620].some((x) => Math.abs(grey(x) - 64) > 8));
  });
});
