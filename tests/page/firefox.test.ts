// The page of an export in Firefox: all that Chromium is not asked for in its stead.

import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lackOfFirefox, launchFirefox } from './firefox.js';
import { createPageCase, largestDifference, sensitiveNetwork } from './page-case.js';

const form = process.env['DEEP_CNN_TEST_PAGE'];
const skip = form === undefined ? '`npm run test:page` runs it' : lackOfFirefox();

const image = (path: string) => fileURLToPath(new URL(`../../../tests/${path}`, import.meta.url));
const images = [
  'places_test_input/val/beach/00000069.jpg',
  'data/fixtures/turned.jpg',
  'data/fixtures/transparent.png',
  'data/fixtures/turned.avif',
];

test('Firefox runs the page on each backend that it has', { skip, timeout: 300_000 }, async (t) => {
  const network = await createPageCase(sensitiveNetwork());
  t.after(() => network.stop());
  const firefox = await launchFirefox();
  t.after(() => firefox.close());
  const until = (condition: string) =>
    firefox.evaluate(`new Promise((resolve) => {
      const look = () => (${condition} ? resolve() : setTimeout(look, 50));
      look();
    })`);
  const isReady = "/^Ready/.test(document.querySelector('#status').textContent)";
  await firefox.open(network.server.url);
  await until(isReady);
  const backends = await firefox.evaluate<string[]>(
    "[...document.querySelectorAll('#backend option')].map(({ value }) => value)",
  );
  assert.ok(backends.includes('wasm'), backends.join());
  // Imitated graphics processors take their time.
  for (const backend of backends.filter((name) => form === 'full' || name === 'wasm')) {
    await firefox.evaluate(`(() => {
      const select = document.querySelector('#backend');
      select.value = '${backend}';
      select.dispatchEvent(new Event('change'));
      document.querySelector('#clear').click();
    })()`);
    await until(isReady);
    await firefox.setFiles('#files', images.map(image));
    for (const name of images.map((path) => basename(path))) {
      const rows = `[...document.querySelectorAll('[aria-label="${name}"] .ranking li')]`;
      await until(`${rows}.some((row) => row.querySelector('data'))`);
      const found = await firefox.evaluate<[string, number][]>(
        `${rows}.map((row) => [row.querySelector('.name').textContent, Number(row.querySelector('data').value)])`,
      );
      const path = image(images.find((file) => file.endsWith(name)) ?? '');
      const difference = largestDifference(new Map(found), await network.expected(path));
      t.diagnostic(`${backend}, ${name}: ${difference.toFixed(6)}`);
      assert.equal(found.length, 5);
      // Firefox has colours of its own of an AVIF, and the page says so.
      const isInexact = name.endsWith('.avif');
      assert.ok(difference < (isInexact ? 0.05 : 0.001), `${backend}, ${name}: ${difference}`);
      const note = await firefox.evaluate<string>(`document.querySelector('[aria-label="${name}"] .note').textContent`);
      assert.equal(/AVIF/.test(note), isInexact);
    }
  }
});
