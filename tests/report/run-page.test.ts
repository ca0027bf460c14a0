import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import sharp from 'sharp';
import { runPage } from '#src/report/run-page.js';
import { describedRun, makeFolder, testedRecord } from './run.js';

const folder = makeFolder();
after(() => rmSync(folder, { recursive: true, force: true }));

/** What a reader sees of a page, without its style. */
const textOf = (page: string) =>
  page
    .replace(/<style>.*<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

test('a page tells options, epochs, test, data, time and environment', async () => {
  const run = describedRun(folder);
  const image = join(folder, 'data', 'val', 'canyon', '1.jpg');
  mkdirSync(dirname(image), { recursive: true });
  await sharp({ create: { width: 64, height: 48, channels: 3, background: 'red' } })
    .jpeg()
    .toFile(image);
  const { detail } = testedRecord(run.data.classes, join(folder, 'data', 'val'));
  const page = await runPage({ run, test: detail, leftOut: [{ path: '/bad.jpg', reason: 'it is empty' }] });
  const text = textOf(page);
  assert.match(text, /mine resnet18, 2 of 2 epochs · Finished/);
  assert.match(text, /Lowest validation loss 1\.2500 epoch 1/);
  assert.match(text, /--lr 0\.5/);
  assert.doesNotMatch(text.slice(0, text.indexOf('as they are by default')), /--exif/);
  assert.match(text, /beach → canyon 2 /);
  assert.match(text, /\/bad\.jpg it is empty/);
  assert.match(text, /Waiting for images 2\.0 s 20\.0 %/);
  assert.match(text, /Commit abc, with changes/);
  assert.match(text, /Initial weights random/);
  // The one image that is there, and those that are not.
  assert.equal(page.match(/<img [^>]*src="data:image\/jpeg/g)?.length, 1);
  assert.equal(text.match(/can&#39;t be read any more|can't be read any more/g)?.length, 5);
  const headings = [...page.matchAll(/<h([123])>/g)].map((match) => Number(match[1]));
  assert.equal(headings[0], 1);
  assert.ok(headings.every((level, index) => index === 0 || level <= (headings[index - 1] ?? 0) + 1));
  for (const [table] of page.matchAll(/<table.*?<\/table>/gs)) assert.match(table, /<caption>.*<th scope="col"/s);
  for (const [figure] of page.matchAll(/<figure [^>]*>/g)) assert.match(figure, /role="img" aria-label="[^"]+"/);
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]);
  assert.equal(new Set(ids).size, ids.length);
});

test('a page fetches and runs nothing, whatever classes and runs are called', async () => {
  const hostile = ['<script>alert(1)</script>', '"><img src=http://x.test/y onerror=alert(2)>', "'&lt;"];
  const run = describedRun(folder, { state: 'stopped', reason: '<script>' }, 'plain');
  const data = { ...run.data, classes: hostile };
  const options = { ...run.options, run_name: '<script>', data_dir: '"><script>' };
  const { detail } = testedRecord(hostile, folder);
  const page = await runPage({
    run: { ...run, data, options },
    test: detail,
    leftOut: [{ path: '<script>', reason: '<img src=x>' }],
  });
  assert.doesNotMatch(page, /<script|<img src=|<img [^>]*onerror/i);
  assert.match(page, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.match(page, /Content-Security-Policy" content="default-src &#39;none&#39;/);
  for (const [, address] of page.matchAll(/\s(?:src|href)="([^"]*)"/g)) assert.match(address ?? '', /^data:/);
});

test('of many classes the matrix is a picture, and the worst are shown before all', async () => {
  const classes = Array.from({ length: 90 }, (_, index) => `class ${index}`);
  const run = describedRun(folder);
  const { detail } = testedRecord(classes, folder);
  const page = await runPage({ run: { ...run, data: { ...run.data, classes } }, test: detail, leftOut: [] });
  assert.match(page, /<img class="pixels" width="90" height="90" alt="Confusion matrix of 90 classes/);
  assert.doesNotMatch(page, /<table class="confusion/);
  assert.match(textOf(page), /The 20 of the lowest F1.*All 90 classes/);
});

test('a run that was stopped in its first epoch has a page of what there is', async () => {
  const { test: _, timings: __, ...run } = describedRun(folder, { state: 'stopped', reason: 'SIGTERM', epochs: [] });
  const text = textOf(await runPage({ run, test: undefined, leftOut: [] }));
  assert.match(text, /Stopped: SIGTERM/);
  assert.doesNotMatch(text, /NaN|undefined|Highest|Calibration/);
});
