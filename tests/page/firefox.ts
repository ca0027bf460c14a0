// Firefox on a screen that nobody sees, driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/). playwright-core
// sends commands that Debian's Firefox does not know, and gives up.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type MessageEvent, WebSocket } from 'undici';

/** Why there can be no Firefox here; undefined where there can. */
export function lackOfFirefox(): string | undefined {
  return spawnSync(program, ['--version']).status === 0
    ? undefined
    : `there is no ${program}: tests/page/install.sh installs it`;
}

/** Debian's. Ubuntu's own, of another name, sees no folder of ours. */
const program = 'firefox-esr';

export interface Firefox {
  /** Opens a page in the only window, in place of the one before. */
  open(url: string): Promise<void>;
  /** Runs an expression in the page, and waits for it: what it gives is handed over as JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /** Chooses files for the `<input type="file">` of that CSS selector. */
  setFiles(selector: string, paths: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export async function launchFirefox(): Promise<Firefox> {
  const profile = mkdtempSync(join(tmpdir(), 'deep-cnn-firefox-'));
  // Graphics in software, too.
  writeFileSync(join(profile, 'user.js'), 'user_pref("webgl.force-enabled", true);\n');
  const screen = await startScreen();
  const args = [...(screen ? [] : ['--headless']), '--no-remote', '--profile', profile, '--remote-debugging-port=0'];
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...(screen && { DISPLAY: screen.display }) },
  });
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.kill('SIGKILL')) await ended;
    screen?.stop();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const connection = await connect(`${await addressOf(child)}/session`);
    await connection.send('session.new', { capabilities: {} });
    const { contexts } = await connection.send<{ contexts: { context: string }[] }>('browsingContext.getTree', {});
    const context = contexts[0]?.context ?? '';
    return pageIn(connection, context, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A screen of Xvfb's, on which Firefox has WebGL; undefined where there is no Xvfb, and Firefox does without. */
async function startScreen(): Promise<{ display: string; stop(): void } | undefined> {
  const child = spawn('Xvfb', ['-displayfd', '1', '-nolisten', 'tcp'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const number = await new Promise<string | undefined>((resolve) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim()));
    child.once('error', () => resolve(undefined));
    child.once('exit', () => resolve(undefined));
  });
  return number === undefined ? undefined : { display: `:${number}`, stop: () => child.kill() };
}

/** Where it listens, which it says itself. */
function addressOf({ stderr }: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (!stderr) throw new Error('internal: Firefox was started without a pipe');
    const said: string[] = [];
    const lines = createInterface(stderr);
    lines.on('line', (line) => {
      said.push(line);
      const [, address] = /WebDriver BiDi listening on (ws:\S+)/.exec(line) ?? [];
      if (address !== undefined) resolve(address);
    });
    lines.once('close', () => reject(new Error(`Firefox did not start: ${said.join('\n')}`)));
  });
}

interface Connection {
  send<T>(method: string, params: object): Promise<T>;
  close(): void;
}

interface Reply {
  id: number | null;
  result?: unknown;
  error?: string;
  message?: string;
}

async function connect(url: string): Promise<Connection> {
  const socket = new WebSocket(url);
  const waiting = new Map<number, (reply: Reply) => void>();
  let ids = 0;
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`There is no connection to ${url}`));
  });
  socket.onmessage = ({ data }: MessageEvent) => {
    const reply = JSON.parse(String(data)) as Reply;
    if (reply.id !== null) waiting.get(reply.id)?.(reply);
  };
  return {
    send: (method, params) =>
      new Promise((resolve, reject) => {
        ids += 1;
        const id = ids;
        waiting.set(id, ({ result, error, message }) => {
          waiting.delete(id);
          if (error === undefined) resolve(result as never);
          else reject(new Error(`${method}: ${error}, ${message}`));
        });
        socket.send(JSON.stringify({ id, method, params }));
      }),
    close: () => socket.close(),
  };
}

/** What a script gave, or threw. */
interface Evaluated {
  result?: { value?: string; sharedId?: string };
  exceptionDetails?: { text: string };
}

function pageIn({ send, close }: Connection, context: string, stop: () => Promise<void>): Firefox {
  const run = async (expression: string) => {
    const params = { expression, target: { context }, awaitPromise: true };
    const { result, exceptionDetails } = await send<Evaluated>('script.evaluate', params);
    if (exceptionDetails) throw new Error(`In Firefox: ${exceptionDetails.text}`);
    return result ?? {};
  };
  return {
    async open(url) {
      await send('browsingContext.navigate', { context, url, wait: 'complete' });
    },
    async evaluate(expression) {
      const { value } = await run(`(async () => JSON.stringify((await (${expression})) ?? null))()`);
      return JSON.parse(value ?? 'null');
    },
    async setFiles(selector, files) {
      const { sharedId } = await run(`document.querySelector(${JSON.stringify(selector)})`);
      await send('input.setFiles', { context, element: { sharedId }, files });
    },
    async close() {
      close();
      await stop();
    },
  };
}
