// HTTP as the hub needs it: proxies from the environment, time limits, and redirects followed by hand, because the
// access token is for the hub alone while the bytes come from elsewhere, and because the hub says what a file is in the
// headers of the redirect itself.

import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { version } from '../version.js';
import { networkFailure, SourceFailure, TransientFailure } from './download-failure.js';
import { type Patience, pause } from './download-patience.js';
import type { HubEnvironment } from './hub-environment.js';

export interface HubRequest {
  method: 'HEAD' | 'GET';
  headers?: Readonly<Record<string, string>>;
}

/** Tells from a redirect's answer whether it says enough, so that the redirect need not be followed. */
export type IsEnough = (answers: readonly Response[]) => boolean;

const maxRedirects = 8;

export class HubClient {
  readonly endpoint: string;
  readonly #token: string | undefined;
  readonly #patience: Patience;
  readonly #agent: EnvHttpProxyAgent;

  constructor({ endpoint, token }: Pick<HubEnvironment, 'endpoint' | 'token'>, patience: Patience) {
    this.endpoint = endpoint;
    this.#token = token;
    this.#patience = patience;
    this.#agent = new EnvHttpProxyAgent({
      connect: { timeout: patience.connectMs },
      headersTimeout: patience.silenceMs,
      bodyTimeout: patience.silenceMs,
    });
  }

  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /**
   * Sends one request and follows redirects until `isEnough` or to their end. Returns all answers, the last one with its
   * body unread. Throws a `SourceFailure` that says why there is no answer, or that it is a refusal (4xx, 5xx); only 416
   * is left to the caller.
   */
  async send(url: string, request: HubRequest, isEnough: IsEnough = () => false): Promise<Response[]> {
    const answers: Response[] = [];
    let at = new URL(url);
    for (let hop = 0; hop <= maxRedirects; hop += 1) {
      const response = await this.#sendOnce(at, request);
      answers.push(response);
      const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
      if (location === null) {
        await this.#refuseFailure(response, at);
        return answers;
      }
      await response.body?.cancel();
      if (isEnough(answers)) return answers;
      at = this.#nextAddress(location, at);
    }
    throw new SourceFailure(`${hostOf(url)} redirects without end`);
  }

  /** Like {@link send}, and tries again where that may help. */
  async sendPatiently(url: string, request: HubRequest, isEnough?: IsEnough): Promise<Response[]> {
    for (let count = 1; ; count += 1) {
      try {
        return await this.send(url, request, isEnough);
      } catch (error) {
        await pause(error, count, this.#patience);
      }
    }
  }

  /** A `fetch` for the hub's own library, with this client's token, proxies, limits and patience. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const url = String(input instanceof Request ? input.url : input);
    const headers = Object.fromEntries(new Headers(init?.headers));
    const body = typeof init?.body === 'string' ? { body: init.body } : {};
    for (let count = 1; ; count += 1) {
      try {
        const response = await this.#sendOnce(new URL(url), { method: init?.method ?? 'GET', headers, ...body });
        await this.#refuseFailure(response, new URL(url));
        return new globalThis.Response(await response.text(), { status: 200, headers: [...response.headers] });
      } catch (error) {
        await pause(error, count, this.#patience);
      }
    }
  };

  /** Closes all connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #sendOnce(
    url: URL,
    { method, headers, body }: { method: string; headers?: Readonly<Record<string, string>>; body?: string },
  ): Promise<Response> {
    const isHub = url.origin === new URL(this.endpoint).origin;
    try {
      return await fetch(url, {
        method,
        redirect: 'manual',
        dispatcher: this.#agent,
        ...(body !== undefined && { body }),
        headers: {
          ...headers,
          'user-agent': `deep-cnn/${version}`,
          'accept-encoding': 'identity',
          ...(isHub && this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
        },
      });
    } catch (error) {
      throw networkFailure(error, url.host);
    }
  }

  #nextAddress(location: string, from: URL): URL {
    const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    if (next && (next.protocol === 'https:' || next.protocol === from.protocol)) return next;
    throw new SourceFailure(`${from.host} redirects to an address that is not followed`);
  }

  async #refuseFailure(response: Response, url: URL): Promise<void> {
    if (response.status < 400 || response.status === 416) return;
    await response.body?.cancel();
    throw this.#failureOf(response, url);
  }

  #failureOf({ status, headers }: Response, url: URL): SourceFailure {
    const code = headers.get('x-error-code') ?? '';
    const mend = this.hasToken
      ? 'See that your access token is valid and may read it; the page on the hub may ask to accept terms first'
      : 'Set HF_TOKEN to an access token that may read it';
    if (code === 'GatedRepo' || status === 403) return new SourceFailure(`access is restricted (${status})`, { mend });
    if (status === 401) {
      const what = this.hasToken
        ? 'an access token that is not accepted, or no such repository'
        : 'no such repository, or a private one';
      return new SourceFailure(`${what} (${status})`, { mend });
    }
    if (status === 404) {
      const what =
        { RepoNotFound: 'repository', RevisionNotFound: 'revision', EntryNotFound: 'file' }[code] ??
        'file or repository';
      return new SourceFailure(`no such ${what} (${status})`, { isAbsence: true });
    }
    if (status === 429 || status === 408 || status >= 500) {
      const reason = status === 429 ? 'asks for fewer requests' : 'is out of order';
      return new TransientFailure(`${url.host} ${reason} (${status})`, { retryAfterMs: retryAfter(headers) });
    }
    return new SourceFailure(`${url.host} refuses (${status})`);
  }
}

/** What Retry-After says, in seconds or as a date. */
function retryAfter(headers: Response['headers']): number | undefined {
  const value = headers.get('retry-after')?.trim();
  if (!value) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}

function hostOf(url: string): string {
  return new URL(url).host;
}
