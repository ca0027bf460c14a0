import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { evaluateCommand, runEvaluation } from '#src/commands/evaluate.js';
import type { EvaluationResult } from '#src/inference/evaluation/evaluation.js';
import { readOptions } from '#src/options/given.js';
import type { TrainConfig } from '#src/options.js';
import { readCsvRows } from '#src/reporting/csv.js';
import { createRunDescription } from '#src/reporting/describe-run.js';
import type { Metrics, TrainingEvent } from '#src/reporting/events.js';
import { nameRunFiles } from '#src/reporting/run-files.js';
import { readSafetensors, writeSafetensors } from '#src/weights/safetensors.js';
import { makeRoot, only, removeRoot, runPart, smallConfig } from '../training/small-run.js';

describe('deep-cnn evaluate', () => {
  const model = 'shufflenet_v2_x0_5';
  let root = '';
  let logged: { val: Metrics | undefined; test: Metrics | undefined };

  before(async () => {
    root = await makeRoot({ trainImages: 6, testImages: 3 });
    const config = smallConfig(root, { model, epochs: 1, precision: 'fp32', val_split: 0.4 });
    const { events } = await runPart(config);
    noteDescription(config, events);
    const [finished] = only(events, 'finished');
    logged = { val: finished?.validation, test: finished?.test };
  });
  after(() => removeRoot(root));

  function noteDescription(config: TrainConfig, events: readonly TrainingEvent[]): void {
    const program = { version: '', commit: undefined, isChanged: false, node: '', platform: '' };
    const reporter = createRunDescription({
      ...{ files: nameRunFiles(config, new Date()), program, now: () => new Date(), onFailure: assert.ifError },
    });
    for (const event of events) reporter.handle(event);
  }

  async function run(given: Record<string, string>) {
    const all = { run: 'test', root_dir: root, device: 'cpu', ...given };
    const entries = Object.entries(all).filter(([, value]) => value !== '');
    const options = new Map(entries.map(([name, value]) => [name, { value, where: `--${name}` }]));
    const printed: string[] = [];
    const told: string[] = [];
    const code = await runEvaluation(readOptions(evaluateCommand.options, [options]), {
      print: (text) => printed.push(text),
      tell: (line) => told.push(line),
    });
    assert.equal(code, 0);
    return { text: printed.join(''), told };
  }

  const results = async (given: Record<string, string>) =>
    JSON.parse((await run({ json: 'True', ...given })).text) as EvaluationResult & Record<string, unknown>;

  for (const split of ['test', 'val'] as const) {
    test(`measures what training has logged of the ${split} images`, async () => {
      const found = await results({ split, batch_size: '4' });
      const then = logged[split];
      assert.ok(then);
      assert.equal(found.images, then.images);
      assert.ok(Math.abs(found.loss - then.loss) < 1e-5 * then.loss, `${found.loss} ${then.loss}`);
      assert.ok(Math.abs(found.precisionAt1.percent - then.precisionAt1) < 1e-9);
      assert.ok(Math.abs(found.precisionAt5.percent - then.precisionAt5) < 1e-9);
    });
  }

  test('train is what val leaves', async () => {
    assert.equal((await results({ split: 'train' })).images + (logged.val?.images ?? 0), 18);
  });

  test('shows a screen of figures and writes tables and plots', async () => {
    const { text, told } = await run({});
    assert.match(text, /^test: test images, in .*data\n/);
    assert.match(text, /^Precision@1 +\d+\.\d\d % \(95 %: /m);
    assert.match(text, /^blue +3 /m);
    assert.deepEqual(told, []);
    const folder = join(root, 'outputs', 'evaluations', 'test', 'test');
    const names = ['calibration.svg', 'classes.csv', 'confusion.csv', 'confusion.svg', 'evaluation.json'];
    assert.deepEqual((await readdir(folder)).sort(), names);
    const { rows } = readCsvRows(await readFile(join(folder, 'confusion.csv'), 'utf8'));
    assert.deepEqual(rows[0], ['class', 'blue', 'green', 'red']);
    const counts = rows.slice(1).map((row) => row.slice(1).reduce((sum, cell) => sum + Number(cell), 0));
    assert.deepEqual(counts, [3, 3, 3]);
    assert.match(await readFile(join(folder, 'confusion.svg'), 'utf8'), /green/);
  });

  test('tells of classes without images and of images that cannot be read', async () => {
    const data = join(root, 'other');
    await mkdir(join(data, 'val', 'red'), { recursive: true });
    await rename(join(root, 'data', 'val', 'red', '0.jpg'), join(data, 'val', 'red', '0.jpg'));
    await writeFile(join(data, 'val', 'red', '1.jpg'), '');
    const { told } = await run({ data_dir: data, output: join(root, 'elsewhere') });
    assert.equal(told.length, 2);
    assert.match(told[0] ?? '', /^WARNING: 2 classes have no images in .*: blue, green\.$/);
    assert.match(told[1] ?? '', /^WARNING: 1 image left out .*1\.jpg \(an empty file\)$/);
    await rename(join(data, 'val', 'red', '0.jpg'), join(root, 'data', 'val', 'red', '0.jpg'));
    await assert.rejects(run({ data_dir: data }), /None of the images can be read/);
    await mkdir(join(data, 'val', 'pink'));
    await assert.rejects(run({ data_dir: data }), /1 class in .* not known to the network.*found pink/);
    await rm(data, { recursive: true });
  });

  test('warns where the split is not that of the training', async () => {
    const image = join(root, 'data', 'train', 'red', '5.jpg');
    await rename(image, join(root, 'kept.jpg'));
    const { told } = await run({ split: 'val' });
    assert.match(told[0] ?? '', /^WARNING: .* does not hold the images of the training/);
    await rename(join(root, 'kept.jpg'), image);
    assert.deepEqual((await run({ split: 'val' })).told, []);
  });

  test('takes the names of the folders where a file of weights has none', async () => {
    const { weights } = await readSafetensors(join(root, 'outputs', 'models', 'test.safetensors'));
    const file = join(root, 'bare.safetensors');
    await writeSafetensors(file, { weights, metadata: {} });
    const given = { run: '', weights: file, model };
    await assert.rejects(run(given), /No images to evaluate on\. Name the folder/);
    const found = await results({ ...given, data_dir: join(root, 'data') });
    assert.deepEqual(
      found.classes.map(({ name }) => name),
      ['blue', 'green', 'red'],
    );
    assert.ok(Math.abs(found.loss - (logged.test?.loss ?? 0)) < 1e-5 * found.loss);
  });

  test('refuses what is not there', async () => {
    await assert.rejects(run({ run: 'none' }), /The run none has left no network/);
    await assert.rejects(run({ data_dir: join(root, 'outputs') }), /There is no folder .*val/);
    await assert.rejects(run({ data_dir: join(root, 'none') }), /Cannot find the data/);
  });
});
