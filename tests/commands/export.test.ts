import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exportCommand, runExport } from '#src/commands/export.js';
import { scanImageFolder } from '#src/data/image-folder.js';
import { exportNetwork } from '#src/export/export-run.js';
import { openNetwork } from '#src/inference/open-network.js';
import { readOptions } from '#src/options/given.js';
import { networkOptions } from '#src/options/network-options.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { readSafetensors, writeSafetensors } from '#src/weights/safetensors.js';
import { referenceNetwork } from '../export/reference-network.js';

const images = 'tests/places_test_input/val';

describe('deep-cnn export', () => {
  let root = '';
  const network = referenceNetwork('squeezenet1_1', { crop: 64 });

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'deep-cnn-export-'));
    await mkdir(join(root, 'outputs', 'models'), { recursive: true });
    const { model, classes, preprocessing, weights } = network;
    await writeSafetensors(join(root, 'outputs', 'models', 'first.safetensors'), {
      weights,
      metadata: {
        model,
        classes: JSON.stringify(classes),
        preprocessing: JSON.stringify(preprocessing),
        epoch: '3',
        metrics: JSON.stringify({ validation: { loss: 0.25, precisionAt1: 75, precisionAt5: 100, images: 4 } }),
        options: JSON.stringify({ lr: 0.001, data_dir: '/somewhere/private', pretrained: false }),
      },
    });
  });
  after(() => rm(root, { recursive: true, force: true }));

  const run = async (given: Record<string, string | boolean>) => {
    const all = { run: 'first', root_dir: root, images, ...given };
    const entries = Object.entries(all).filter(([, value]) => value !== '');
    const options = new Map(entries.map(([name, value]) => [name, { value, where: `--${name}` }]));
    const printed: string[] = [];
    const code = await runExport(readOptions(exportCommand.options, [options]), {
      print: (text) => printed.push(text),
    });
    return { code, text: printed.join('') };
  };
  const folder = (format: string) => join(root, 'outputs', 'export', 'first', format);

  for (const [format, file] of [
    ['tfjs', 'model.json'],
    ['savedmodel', 'saved_model.pb'],
    ['safetensors', 'model.safetensors'],
    ['onnx', 'model.onnx'],
  ] as const) {
    test(`writes ${format} with labels and a model card, and compares it`, async () => {
      const { code, text } = await run({ format });
      assert.equal(code, 0);
      assert.match(
        text,
        format === 'onnx' ? /20 images|needs the package onnxruntime-node/ : /On 20 images .* at most/,
      );
      const names = await readdir(folder(format));
      for (const name of [file, 'labels.txt', 'README.md', 'export.json']) assert.ok(names.includes(name), name);
      const labels = await readFile(join(folder(format), 'labels.txt'), 'utf8');
      assert.equal(labels, 'class 0\nclass 1\nclass 2\nclass 3\nclass 4\n');
      const card = await readFile(join(folder(format), 'README.md'), 'utf8');
      assert.match(card, /Trained for 3 epochs/);
      assert.match(card, /\| Validation \| 0\.2500 \| 75\.0 % \| 100\.0 % \|/);
      assert.doesNotMatch(card, /private/);
      assert.deepEqual(
        (await readdir(join(root, 'outputs', 'export', 'first'))).filter((name) => name.startsWith('.')),
        [],
      );
    });
  }

  test('leaves the weights as they are in safetensors, or halves them', async () => {
    await run({ format: 'safetensors' });
    const whole = await readSafetensors(join(folder('safetensors'), 'model.safetensors'));
    assert.deepEqual(whole.weights, network.weights);
    await run({ format: 'safetensors', quantize: 'float16' });
    const half = await readSafetensors(join(folder('safetensors'), 'model.safetensors'));
    assert.deepEqual([...half.weights.keys()], [...network.weights.keys()]);
    for (const [name, { data }] of half.weights) {
      const original = network.weights.get(name)?.data ?? [];
      for (const [i, value] of data.entries()) assert.ok(Math.abs(value - (original[i] ?? 0)) < 5e-4 * 2);
    }
  });

  test('replaces an earlier export, and nothing else', async () => {
    await run({ format: 'tfjs' });
    await run({ format: 'tfjs', quantize: 'uint8' });
    assert.ok(!(await readdir(folder('tfjs'))).includes('group1-shard2of2.bin'));
    const output = join(root, 'mine');
    await mkdir(output);
    await writeFile(join(output, 'thesis.tex'), 'all of it');
    await assert.rejects(run({ format: 'tfjs', output }), /Cannot write to .*others' files, such as thesis.tex/);
    assert.deepEqual(await readdir(output), ['thesis.tex']);
  });

  test('refuses what makes no sense before it writes anything', async () => {
    const cases = [
      [{ run: 'second' }, /The run second has left no network/],
      [{ run: '' }, /--run=NAME, --weights=FILE or --model=NAME, found none of them/],
      [{ weights: 'x.pth' }, /Two networks at once/],
      [
        { format: 'savedmodel', quantize: 'uint8' },
        /--format=savedmodel has no --quantize=uint8: expected one of none/,
      ],
      [{ model: 'resnet18' }, /--model does not go with --run/],
      [{ images: join('tests', 'commands') }, /There are no images to compare/],
    ] as const;
    const output = join(root, 'nothing');
    for (const [given, message] of cases) await assert.rejects(run({ output, ...given }), message);
    await assert.rejects(readdir(output), { code: 'ENOENT' });
  });

  test('leaves nothing where quantized weights change more than is put up with', async () => {
    const choice = readOptions(networkOptions, [new Map([['run', { value: 'first', where: '--run' }]])]);
    const opened = await openNetwork({ ...choice, root_dir: root });
    const output = join(root, 'strict');
    const found = await scanImageFolder(images);
    const request = { network: opened, run: undefined, format: 'tfjs', input: 'bytes', quantize: 'uint8' } as const;
    const parts = { output, images: [found.images.at(0).path], runtime: await openRuntime('cpu') };
    await assert.rejects(
      exportNetwork({ ...request, ...parts, bound: 1e-9 }),
      /With --quantize=uint8 probabilities change too much: expected at most 1e-9, found .* on 1 images/,
    );
    await assert.rejects(readdir(output), { code: 'ENOENT' });
    assert.ok((await readdir(root)).every((name) => !name.endsWith('.tmp')));
  });

  test('takes a file of weights that says nothing of itself', async () => {
    const file = join(root, 'bare.safetensors');
    await writeSafetensors(file, { weights: network.weights, metadata: {} });
    const weights = { run: '', weights: file, verify: 'False', format: 'onnx' };
    await assert.rejects(run(weights), /does not say which network it holds. Name it with --model/);
    const { text } = await run({ ...weights, model: 'squeezenet1_1' });
    assert.match(text, /It was not compared with the network\./);
    const place = join(root, 'outputs', 'export', 'squeezenet1_1', 'onnx');
    assert.equal(await readFile(join(place, 'labels.txt'), 'utf8'), '0\n1\n2\n3\n4\n');
  });
});
