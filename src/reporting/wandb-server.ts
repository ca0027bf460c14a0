// Requests to a W&B server that say how they went. The SDK's own neither end when a server hangs, nor look at the status
// of an answer, nor ask again: its retry waits for the same failed promise.
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { version } from '../version.js';

/** How long to wait for a server, and how often to come back. */
export interface WandbPatience {
  /** For one answer. */
  requestMs: number;
  /** Before the first retry; each further one waits twice as long. */
  backoffMs: number;
  longestWaitMs: number;
  /** How often in a row something is tried. */
  attempts: number;
}

/** For a run: it has all the time there is. */
export const trainingPatience: WandbPatience = {
  requestMs: 30_000,
  backoffMs: 2_000,
  longestWaitMs: 60_000,
  attempts: Number.POSITIVE_INFINITY,
};

/** For somebody who waits in front of the screen. */
export const syncPatience: WandbPatience = { requestMs: 30_000, backoffMs: 1_000, longestWaitMs: 30_000, attempts: 4 };

/** The server has said no, and would again. */
export class WandbRefusal extends Error {
  override readonly name = 'WandbRefusal';
}

/** There was no answer, or one that may be different next time. */
export class WandbOutage extends Error {
  override readonly name = 'WandbOutage';
}

export interface WandbServer {
  /**
   * Sends `body` as JSON and returns what came back, after as many attempts as patience allows. Throws a
   * {@link WandbRefusal} or the last {@link WandbOutage}.
   */
  post(path: string, body: unknown): Promise<unknown>;
}

interface ServerSettings {
  baseUrl: string;
  key: string;
  patience: WandbPatience;
  /** Hears of every failure that is followed by another attempt; `count` of them in a row. */
  onTrouble: (message: string, count: number) => void;
}

export function createServer({ baseUrl, key, patience, onTrouble }: ServerSettings): WandbServer {
  const dispatcher = new EnvHttpProxyAgent();
  const headers = {
    'Content-Type': 'application/json',
    'User-Agent': `deep-cnn ${version}`,
    Authorization: `Basic ${Buffer.from(`api:${key}`).toString('base64')}`,
  };
  const send = async (path: string, body: unknown): Promise<unknown> => {
    let response: Response;
    let text: string;
    try {
      const signal = AbortSignal.timeout(patience.requestMs);
      const init = { method: 'POST', headers, body: JSON.stringify(body), signal, dispatcher };
      response = await fetch(`${baseUrl}${path}`, init);
      text = await response.text();
    } catch (error) {
      throw new WandbOutage(reasonOf(error, patience.requestMs), { cause: error });
    }
    if (!response.ok) throw failureOf(response, text);
    return parseJson(text);
  };
  return {
    post: async (path, body) => {
      for (let count = 1; ; count++) {
        try {
          return await send(path, body);
        } catch (error) {
          if (!(error instanceof WandbOutage) || count >= patience.attempts) throw error;
          onTrouble(error.message, count);
          await wait(waitMs(error, count, patience));
        }
      }
    },
  };
}

/** Statuses that another attempt may turn: W&B's own tools come back after these and after all from 500 on. */
const passing: readonly number[] = [408, 409, 425, 429];

class LimitedOutage extends WandbOutage {
  retryAfterMs: number | undefined;
}

function failureOf(response: Response, text: string): Error {
  const { status } = response;
  const said = firstMessage(text);
  const message = `it answers ${status}${said === undefined ? '' : ` (${said})`}`;
  if (status < 500 && !passing.includes(status)) {
    return new WandbRefusal(status === 401 ? `it does not accept the API key (${status})` : message);
  }
  const outage = new LimitedOutage(message);
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  if (Number.isFinite(seconds) && seconds >= 0) outage.retryAfterMs = seconds * 1000;
  return outage;
}

function waitMs(error: WandbOutage, count: number, { backoffMs, longestWaitMs }: WandbPatience): number {
  if (error instanceof LimitedOutage && error.retryAfterMs !== undefined) {
    return Math.min(error.retryAfterMs, 5 * longestWaitMs);
  }
  // Array jobs that lost the server together must not come back together.
  const jitter = 0.75 + Math.random() / 2;
  return Math.min(backoffMs * 2 ** Math.min(count - 1, 30), longestWaitMs) * jitter;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function reasonOf(error: unknown, requestMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${requestMs / 1000} s`;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message : String(cause);
}

/** What an error's body says, in one short line. */
function firstMessage(text: string): string | undefined {
  const body = parseJson(text);
  const error = read(body, 'error') ?? read(read(read(body, 'errors'), '0'), 'message');
  return typeof error === 'string' && error !== '' ? error.replace(/\s+/g, ' ').slice(0, 120) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A property of whatever came back; undefined where there is none. */
export function read(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined;
}
