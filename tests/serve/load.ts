// Many clients at once on a server of its own process: good images, bad, huge, slow and broken-off requests.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface LoadPlan {
  /** Options of `deep-cnn serve` that name the network. */
  network: readonly string[];
  clients: number;
  seconds: number;
  /** Image files. */
  images: readonly Buffer[];
}

export interface LoadReport {
  /** Answers by kind of request and status; `closed` where the client itself went away. */
  answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** What should not have been answered so, a line each. */
  mistakes: readonly string[];
  /** Of good images. */
  perSecond: number;
  medianMs: number;
  slowestTwentiethMs: number;
  /** The server's memory each second, in MB. */
  memory: readonly number[];
  /** What the server printed to the error output. */
  errors: string;
  exitCode: number | null;
}

interface Kind {
  /** Of all requests. */
  share: number;
  allowed: readonly (number | 'closed')[];
  send(url: string, image: Buffer): Promise<number | 'closed'>;
}

const bodyLimit = 32e6;

const kinds: Readonly<Record<string, Kind>> = {
  good: { share: 80, allowed: [200], send: (url, image) => post(url, image) },
  damaged: { share: 5, allowed: [422], send: (url, image) => post(url, image.subarray(0, image.length >> 1)) },
  'no image': { share: 4, allowed: [415], send: (url) => post(url, Buffer.from('{}'), 'application/json') },
  elsewhere: { share: 4, allowed: [404], send: (url, image) => post(`${url}/x`, image) },
  huge: { share: 1, allowed: [413, 'closed'], send: (url) => post(url, Buffer.alloc(bodyLimit + 1)) },
  slow: { share: 3, allowed: [200], send: (url, image) => postSlowly(url, image) },
  'broken off': { share: 3, allowed: ['closed'], send: (url, image) => breakOff(url, image) },
};

/** Runs the server and the clients to their end. */
export async function runLoad({ network, clients, seconds, images }: LoadPlan): Promise<LoadReport> {
  const { child, url, errors } = await startProgram(network);
  const answers: Record<string, Record<string, number>> = {};
  const mistakes: string[] = [];
  const times: number[] = [];
  const memory: number[] = [];
  const end = performance.now() + seconds * 1000;
  const order = Object.entries(kinds).flatMap(([name, kind]) =>
    Array.from({ length: kind.share }, () => ({ name, kind })),
  );
  const client = async (number: number) => {
    // A stride that meets every place of the list, so that kinds are mixed.
    for (let turn = number * 3; performance.now() < end; turn++) {
      const { name, kind } = order[(turn * 37) % order.length] ?? order[0] ?? impossible();
      const start = performance.now();
      const answer = await kind.send(`${url}/predict`, images[turn % images.length] ?? Buffer.alloc(0));
      if (name === 'good') times.push(performance.now() - start);
      answers[name] = { ...answers[name], [answer]: (answers[name]?.[answer] ?? 0) + 1 };
      if (!kind.allowed.includes(answer)) mistakes.push(`${name}: ${answer}`);
    }
  };
  const watch = async () => {
    while (performance.now() < end) {
      memory.push(residentMegabytes(child));
      await sleep(1000);
    }
  };
  await Promise.all([watch(), ...Array.from({ length: clients }, (_, number) => client(number))]);
  child.kill('SIGTERM');
  const [exitCode] = (await once(child, 'close')) as [number | null];
  times.sort((a, b) => a - b);
  const timeAt = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return {
    ...{ answers, mistakes, memory, exitCode },
    perSecond: times.length / seconds,
    medianMs: timeAt(0.5),
    slowestTwentiethMs: timeAt(0.95),
    errors: errors(),
  };
}

function impossible(): never {
  throw new Error('internal: there are no kinds of requests');
}

async function startProgram(network: readonly string[]) {
  const cli = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));
  const child = spawn(process.execPath, [cli, 'serve', ...network, '--port=0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (part) => {
    errors += part;
  });
  let output = '';
  for await (const part of child.stdout) {
    output += part;
    const [url] = /http:\/\/\S+?(?=,)/.exec(output) ?? [];
    if (url !== undefined) {
      return { child, url, errors: () => errors };
    }
  }
  throw new Error(`The server did not start: ${errors}`);
}

function residentMegabytes({ pid }: ChildProcess): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}

function post(url: string, body: Buffer, type = 'image/jpeg'): Promise<number | 'closed'> {
  return answerOf(url, type, body.length, async (send, end) => {
    send(body);
    end();
  });
}

function postSlowly(url: string, body: Buffer): Promise<number | 'closed'> {
  const half = body.length >> 1;
  return answerOf(url, 'image/jpeg', body.length, async (send, end) => {
    send(body.subarray(0, half));
    await sleep(500);
    send(body.subarray(half));
    end();
  });
}

function breakOff(url: string, body: Buffer): Promise<number | 'closed'> {
  return answerOf(url, 'image/jpeg', body.length, async (send, _end, leave) => {
    send(body.subarray(0, body.length >> 1));
    await sleep(20);
    leave();
  });
}

type Sender = (send: (part: Buffer) => void, end: () => void, leave: () => void) => Promise<void>;

function answerOf(url: string, type: string, length: number, sender: Sender): Promise<number | 'closed'> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': type, 'content-length': length };
    // Each on a connection of its own: the server may close one that was left waiting just as it is used again.
    const sent = request(url, { method: 'POST', agent: false, headers });
    sent.on('response', (response) => {
      response.resume();
      response.on('close', () => resolve(response.statusCode ?? 'closed'));
    });
    sent.on('error', () => resolve('closed'));
    sender(
      (part) => void sent.write(part),
      () => void sent.end(),
      () => void sent.destroy(),
    ).catch(reject);
  });
}
