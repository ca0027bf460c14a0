// From images to a browser, each step by the command line: train, evaluate, predict, export, serve. CI runs it, too.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { lackOfChromium, launchChromium, openPage, probabilitiesOf, serveFiles, untilReady } from './chromium.js';
import { filesBelow, largestDifference } from './page-case.js';

const skip = process.env['DEEP_CNN_TEST_PAGE'] === undefined ? '`npm run test:page` runs it' : lackOfChromium();

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const cli = join(repository, 'dist', 'cli.js');
const data = join(repository, 'tests', 'places_test_input');

const runProgram = promisify(execFile);

test('a network that was trained here says the same in a browser', { skip }, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'deep-cnn-end-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const run = async (...args: string[]) =>
    (await runProgram(process.execPath, [cli, ...args, `--root_dir=${root}`], { cwd: root })).stdout;
  const recipe = ['--epochs=1', `--data_dir=${data}`, '--model=efficientnet_lite0', '--precision=fp32'];
  await run('train', ...recipe, '--run_name=first');
  const evaluation = JSON.parse(await run('evaluate', '--run=first', '--json'));
  assert.ok(JSON.stringify(evaluation).includes('efficientnet_lite0'));

  const images = readdirSync(join(data, 'val')).map((name) => {
    const folder = join(data, 'val', name);
    return join(folder, readdirSync(folder)[0] ?? '');
  });
  const lines = (await run('predict', '--run=first', '--json', '--top_k=5', ...images)).trim().split('\n');
  const predicted = new Map(lines.map((line) => [basename(JSON.parse(line).image), byCategory(JSON.parse(line))]));
  assert.equal(predicted.size, images.length);

  await run('export', '--run=first', '--format=tfjs');
  const folder = join(root, 'outputs', 'export', 'first', 'tfjs');
  const server = await serveFiles(filesBelow(folder));
  const browser = await launchChromium();
  t.after(async () => {
    await browser.close();
    server.stop();
  });
  const opened = await openPage(browser, server.url);
  await untilReady(opened);
  await opened.page.locator('#files').setInputFiles(images);
  for (const [name, expected] of predicted) {
    const difference = largestDifference(await probabilitiesOf(opened, name), expected);
    t.diagnostic(`${name} in the browser: ${difference.toFixed(6)}`);
    assert.ok(difference < 0.02, `${name}: ${difference}`);
  }

  const child = spawn(process.execPath, [cli, 'serve', '--run=first', '--port=0', `--root_dir=${root}`]);
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [url = ''] = /http:\S+\/predict/.exec(line.toString()) ?? [];
  for (const path of images) {
    const body = readFileSync(path);
    const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'image/jpeg' } });
    const found = byCategory((await response.json()) as Answer);
    assert.ok(largestDifference(found, predicted.get(basename(path)) ?? new Map()) < 1e-5);
  }
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 0);
});

interface Answer {
  top: readonly { category: string; probability: number }[];
}

const byCategory = ({ top }: Answer) => new Map(top.map(({ category, probability }) => [category, probability]));
