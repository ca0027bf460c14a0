// The page of an export in a real browser. `npm run test:page` runs all of it; CI leaves out what other backends need time for.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import {
  lackOfChromium,
  launchChromium,
  type OpenedPage,
  openPage,
  probabilitiesOf,
  serveFiles,
  untilReady,
} from './chromium.js';
import { createPageCase, filesBelow, largestDifference, type PageCase, sensitiveNetwork } from './page-case.js';

const form = process.env['DEEP_CNN_TEST_PAGE'];
const skip = form === undefined ? '`npm run test:page` runs it' : lackOfChromium();
const isFull = form === 'full';

const places = fileURLToPath(new URL('../../../tests/places_test_input/val/', import.meta.url));
const fixture = (name: string) => fileURLToPath(new URL(`../../../tests/data/fixtures/${name}`, import.meta.url));
const beach = join(places, 'beach', '00000069.jpg');

/** The most that a probability may be off. */
const bound = 0.02;

describe('the page', { skip }, () => {
  let browser: Browser;
  let network: PageCase;

  before(async () => {
    network = await createPageCase(sensitiveNetwork());
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    network?.stop();
  });

  const open = async (options: Parameters<typeof openPage>[2] = {}) => {
    const opened = await openPage(browser, network.server.url, options);
    await untilReady(opened);
    return opened;
  };
  const choose = ({ page }: OpenedPage, ...paths: string[]) => page.locator('#files').setInputFiles(paths);
  const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

  test("finds the network's probabilities, whatever the image, and asks nobody else", async (t) => {
    const large = join(network.folder, 'large.jpg');
    await sharp(beach).resize(3000, 2000, { fit: 'fill', kernel: 'lanczos3' }).jpeg({ quality: 90 }).toFile(large);
    const webp = join(network.folder, 'tall.webp');
    await sharp(beach).resize(300, 900, { fit: 'fill' }).webp({ lossless: true }).toFile(webp);
    const images = [
      beach,
      large,
      webp,
      ...['turned.jpg', 'interlaced.png', 'grey.jpg', 'cmyk.jpg', 'profile.jpg'].map(fixture),
    ];
    const opened = await open();
    await choose(opened, ...images);
    for (const path of images) {
      const found = await probabilitiesOf(opened, nameOf(path));
      const difference = largestDifference(found, await network.expected(path));
      t.diagnostic(`${nameOf(path)}: ${difference.toFixed(5)}`);
      assert.equal(found.size, 5);
      assert.ok(difference <= bound, `${nameOf(path)}: ${difference}`);
    }
    // What such a bound can see.
    const enlarged = join(network.folder, 'enlarged.png');
    await sharp(beach)
      .resize(258, 258, { fit: 'fill' })
      .extract({ left: 1, top: 1, width: 256, height: 256 })
      .toFile(enlarged);
    const change = largestDifference(await network.expected(enlarged), await network.expected(beach));
    assert.ok(change > bound, `${change}`);

    const { origin } = new URL(network.server.url);
    assert.ok(opened.requests.length > 5);
    assert.deepEqual(
      opened.requests.filter((url) => !/^(blob|data):/.test(url) && new URL(url).origin !== origin),
      [],
    );
    assert.deepEqual(opened.complaints, []);
    await opened.page.context().close();
  });

  test('says of a broken image that it is one, and goes on', async () => {
    const opened = await open();
    const broken = join(network.folder, 'broken.jpg');
    writeFileSync(broken, 'no image at all');
    await choose(opened, broken, beach);
    const card = opened.page.getByRole('article', { name: 'broken.jpg' });
    await card.getByText('no image of a format that is read').waitFor();
    assert.equal((await probabilitiesOf(opened, nameOf(beach))).size, 5);
    await opened.page.context().close();
  });

  test('takes images that are dropped and pasted', async () => {
    const opened = await open();
    const bytes = [...readFileSync(beach)];
    for (const [kind, name] of [
      ['drop', 'dropped.jpg'],
      ['paste', 'pasted.jpg'],
    ] as const) {
      await opened.page.evaluate(`{
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array([${bytes}])], '${name}', { type: 'image/jpeg' }));
        const event =
          '${kind}' === 'drop'
            ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: data, bubbles: true });
        document.body.dispatchEvent(event);
      }`);
      assert.equal((await probabilitiesOf(opened, name)).size, 5);
    }
    await opened.page.context().close();
  });

  test('can be used with the keyboard alone, and tells screen readers what happens', async () => {
    const opened = await open();
    const { page } = opened;
    await page.keyboard.press('Tab');
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Space')]);
    await chooser.setFiles(beach);
    const [best] = [...(await probabilitiesOf(opened, nameOf(beach))).keys()];
    await page
      .getByRole('status')
      .filter({ hasText: `${nameOf(beach)}: ${best}` })
      .waitFor();
    const focused = () => page.evaluate('document.activeElement.id');
    while ((await focused()) !== 'heat-map') await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.locator('.overlay').waitFor({ state: 'visible' });
    await page.getByRole('button', { name: /class/ }).nth(1).focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.getByRole('button', { pressed: true }).count(), 1);
    assert.match((await page.getByRole('button', { pressed: true }).textContent()) ?? '', /class/);
    await page.getByRole('button', { name: 'Clear' }).focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.getByRole('article').count(), 0);
    assert.equal(await focused(), 'files');
    await page.context().close();
  });

  test('classifies what the camera sees until it is stopped', async () => {
    const opened = await open({ permissions: ['camera'] });
    await opened.page.getByRole('button', { name: 'Use the camera' }).click();
    assert.equal((await probabilitiesOf(opened, 'Camera')).size, 5);
    await opened.page.getByText(/^The camera sees: class/).waitFor();
    await opened.page.getByRole('button', { name: 'Stop the camera' }).click();
    assert.equal(await opened.page.getByRole('article').count(), 0);
    await opened.page.context().close();
  });

  test('says that the camera was not allowed', async () => {
    const opened = await open({ permissions: [] });
    await opened.page.getByRole('button', { name: 'Use the camera' }).click();
    await opened.page
      .getByRole('alert')
      .filter({ hasText: /camera/ })
      .waitFor();
    assert.equal(await opened.page.getByRole('article').count(), 0);
    await opened.page.context().close();
  });

  test('says that the network is missing', async () => {
    const files = new Map([...filesBelow(join(network.folder, 'export'))].filter(([name]) => name !== 'model.json'));
    const server = await serveFiles(files);
    const opened = await openPage(browser, server.url);
    await opened.page
      .getByRole('alert')
      .filter({ hasText: /can't be run here.*404/ })
      .waitFor();
    assert.ok(await opened.page.locator('#files').isDisabled());
    await opened.page.context().close();
    server.stop();
  });

  test('goes on where another backend can not be had, and says which images it could not read', async () => {
    const files = new Map(
      [...filesBelow(join(network.folder, 'export'))].filter(([name]) => !/backend-webgl/.test(name)),
    );
    const server = await serveFiles(files);
    const opened = await openPage(browser, server.url);
    await untilReady(opened);
    const { page } = opened;
    await page.locator('#backend').selectOption('WebGL');
    await page
      .getByRole('alert')
      .filter({ hasText: /can't be run on WebGL/ })
      .waitFor();
    await untilReady(opened);
    assert.equal(await page.locator('#backend').inputValue(), 'wasm');
    await choose(opened, beach, fixture('float.tif'), fixture('transparent.png'));
    await page
      .getByRole('status')
      .filter({ hasText: '2 images are done. 1 could not be read.' })
      .waitFor({ timeout: 60_000 });
    const found = await probabilitiesOf(opened, 'transparent.png');
    assert.ok(largestDifference(found, await network.expected(fixture('transparent.png'))) < bound);
    await page.getByRole('article', { name: 'float.tif' }).getByText('browsers do not read').waitFor();
    await page.context().close();
    server.stop();
  });

  test('says that WebAssembly is missing where there is nothing else', async () => {
    const files = new Map(
      [...filesBelow(join(network.folder, 'export'))].filter(([name]) => !/\.wasm$|webg/.test(name)),
    );
    const server = await serveFiles(files);
    const opened = await openPage(browser, server.url);
    await opened.page
      .getByRole('alert')
      .filter({ hasText: /can't be run here/ })
      .waitFor();
    await opened.page.context().close();
    server.stop();
  });

  test('is there in the dark, on a phone, and nothing jumps', async () => {
    const viewport = { width: 360, height: 740 };
    const opened = await open({ colorScheme: 'dark', viewport, reducedMotion: 'reduce' });
    await choose(opened, beach);
    await probabilitiesOf(opened, nameOf(beach));
    const { dominant, entropy } = await sharp(await opened.page.screenshot()).stats();
    assert.ok(
      entropy > 1 && Math.max(dominant.r, dominant.g, dominant.b) < 64,
      `${entropy}, ${JSON.stringify(dominant)}`,
    );
    const width = await opened.page.evaluate('document.documentElement.scrollWidth');
    const shifts = await opened.page.evaluate(`new Promise((resolve) => {
      const sum = (list) => list.getEntries().reduce((total, { value }) => total + value, 0);
      new PerformanceObserver((list) => resolve(sum(list))).observe({ type: 'layout-shift', buffered: true });
      setTimeout(() => resolve(0), 500);
    })`);
    assert.equal(width, viewport.width);
    assert.ok(Number(shifts) < 0.1, `${shifts}`);
    await opened.page.context().close();
  });

  test('runs on each backend that there is', { skip: isFull ? false : '`npm run test:page` runs it' }, async (t) => {
    const opened = await open();
    await choose(opened, beach);
    await probabilitiesOf(opened, nameOf(beach));
    const backends = await opened.page.locator('#backend option').allTextContents();
    assert.ok(backends.includes('WebAssembly') && backends.includes('WebGL'), backends.join());
    for (const title of backends) {
      await opened.page.locator('#backend').selectOption(title);
      await opened.page.locator('.about', { hasText: `on ${title}` }).waitFor({ timeout: 60_000 });
      const found = await probabilitiesOf(opened, nameOf(beach));
      const difference = largestDifference(found, await network.expected(beach));
      t.diagnostic(`${title}: ${difference.toFixed(5)}, ${await opened.page.locator('.about').textContent()}`);
      assert.ok(difference <= bound, `${title}: ${difference}`);
    }
    await opened.page.context().close();
  });
});
