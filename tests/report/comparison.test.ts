import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compareOptions, runComparison } from '#src/commands/compare.js';
import { readOptions } from '#src/options/given.js';
import type { Comparison } from '#src/report/comparison.js';
import { describedRun, makeFolder, writeRun } from './run.js';

const folder = makeFolder();
before(() => {
  writeRun(describedRun(folder, {}, 'first'));
  const second = describedRun(folder, {}, 'second');
  writeRun({ ...second, options: { ...second.options, lr: 0.25, warmup: 1 }, data: { ...second.data, sha256: 'b4d' } });
  const young = describedRun(folder, { state: 'running', epochs: [], timings: [] }, 'young');
  const { test: _, ...untested } = young;
  writeRun(untested);
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function compare(operands: readonly string[], changed: { json?: boolean; output?: string } = {}) {
  const printed: string[] = [];
  const told: string[] = [];
  const values = { ...readOptions(compareOptions, []), root_dir: folder, ...changed };
  await runComparison(operands, values, { print: (text) => printed.push(text), tell: (line) => told.push(line) });
  return { text: printed.join(''), told };
}

test('a table of results and one of the options that differ', async () => {
  const { text, told } = await compare(['first', 'second', 'young']);
  const rows = text.split('\n').map((line) => line.split(/ {2,}/));
  assert.deepEqual(rows[1], [
    'first',
    'finished',
    '2',
    '1',
    '1.2500',
    '12.35 %',
    '1.7500',
    '12.35 %',
    '24.0',
    '24.0 s',
  ]);
  assert.deepEqual(rows[3]?.slice(0, 6), ['young', 'running', '0', '–', '–', '–']);
  assert.deepEqual(rows.slice(5, 8), [
    ['Option', 'first', 'second', 'young'],
    ['--lr', '0.5', '0.25', '0.5'],
    ['--warmup', 'none', '1', 'none'],
  ]);
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /WARNING: second has other data than first: as many images, but other ones/);
});

test('the same as JSON, of files as well as of names', async () => {
  const file = join(folder, 'outputs', 'results', 'first20261124_12-00-00.json');
  const { runs, options } = JSON.parse((await compare(['second', file], { json: true })).text) as Comparison;
  assert.deepEqual(
    runs.map(({ name, best, images_per_second: speed, data }) => [name, best?.epoch, speed, data.classes]),
    [
      ['second', 1, 24, 3],
      ['first', 1, 24, 3],
    ],
  );
  assert.deepEqual(options[0], { name: 'lr', values: [0.25, 0.5] });
});

test('a page with the curves of all runs', async () => {
  const output = join(folder, 'pages', 'compared.html');
  await compare(['first', 'second', 'first'], { output });
  const page = readFileSync(output, 'utf8');
  assert.equal(page.match(/<figure class="plot"/g)?.length, 5);
  assert.match(
    page,
    /aria-label="Validation loss: first \(2026-11-2\d \d\d:\d\d:00\) from 1\.25 in epoch 1 to 1\.5 in epoch 2; second/,
  );
  assert.doesNotMatch(page, /<script/);
});

test('mistakes are refused by name', async () => {
  await assert.rejects(compare(['first']), /expected the names of two runs or more after it, found 'first'/);
  await assert.rejects(
    compare(['first', 'frist']),
    /no description of a run 'frist': expected one of first, second, young/,
  );
  await assert.rejects(compare(['first', './frist.json']), /Cannot read the run .*frist\.json/);
});
