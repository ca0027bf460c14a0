// A real browser without a screen, and pages in it that may reach nothing but one local server.

import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { createSite } from '#src/serve/site.js';

/** Why there can be no browser here; undefined where there can. */
export function lackOfChromium(): string | undefined {
  return pathOfChromium() === undefined ? 'there is no chromium: tests/page/install.sh installs it' : undefined;
}

function pathOfChromium(): string | undefined {
  const { status, stdout } = spawnSync('sh', ['-c', 'command -v chromium || command -v google-chrome'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** For anything that is waited for: a busy machine may need most of it. */
const patienceMs = 300_000;

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    timeout: patienceMs,
    executablePath: pathOfChromium() ?? 'chromium',
    args: [
      // As root there is no sandbox.
      '--no-sandbox',
      // Graphics in software, and a camera that shows a moving picture.
      '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--use-fake-device-for-media-stream',
    ],
  });
}

export interface WebServer {
  /** Of the folder, with a slash at the end. */
  url: string;
  stop(): void;
}

/** A web server that knows nothing but files, in a subfolder. */
export async function serveFiles(files: ReadonlyMap<string, Uint8Array>): Promise<WebServer> {
  const base = 'some/folder/';
  const site = createSite(new Map([...files].map(([name, bytes]) => [`${base}${name}`, bytes])));
  const server = createServer((request, response) => {
    const path = request.url?.endsWith('/') ? `${request.url}index.html` : (request.url ?? '');
    if (site.has(path)) site.serve(path, request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/${base}`, stop: () => server.close() };
}

export interface OpenedPage {
  page: Page;
  /** What it asked of the network. */
  requests: readonly string[];
  /** What it wrote to the console as errors, and exceptions. */
  complaints: readonly string[];
}

/** Opens a page in a window of its own. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  return { page, requests, complaints };
}

/** Waits until the network is ready to be used. */
export async function untilReady({ page }: OpenedPage): Promise<void> {
  await page.locator('#status', { hasText: /^Ready/ }).waitFor();
}

/** The probabilities of a card, by class, once it has them. */
export async function probabilitiesOf({ page }: OpenedPage, name: string): Promise<ReadonlyMap<string, number>> {
  const card = page.getByRole('article', { name, exact: true });
  await card.locator('data').first().waitFor();
  const rows = await card.locator('.ranking li').all();
  const pairs = rows.map(async (row) => {
    const value = await row.locator('data').getAttribute('value');
    return [(await row.locator('.name').textContent()) ?? '', Number(value)] as const;
  });
  return new Map(await Promise.all(pairs));
}
