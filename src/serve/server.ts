// The HTTP server: the page with the network at /, and POST /predict, which says what an image shows.

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addHeaders, sendError, sendJson } from './answers.js';
import { checkHeaders, imageIn, readBody } from './body.js';
import type { FileClassifier } from './file-classifier.js';
import { HttpError } from './http-error.js';
import { countOf, predictionOf } from './prediction.js';
import { createRoom, type RoomLimits } from './room.js';
import type { Site } from './site.js';

export interface ServerParts {
  classifier: FileClassifier;
  /** In the order of the probabilities. */
  classes: readonly string[];
  /** The page. */
  site: Site;
  /** What `GET /health` says beside the state. */
  about: Readonly<Record<string, unknown>>;
  /** Told of a bug that a request has met. */
  onBug(error: unknown): void;
}

export interface ServerLimits extends RoomLimits {
  /** Of one request's body. */
  bodyBytes: number;
  /** Milliseconds in which a request must have arrived with all its headers, and altogether. */
  headersMs: number;
  requestMs: number;
  /** Milliseconds that requests have to end when the server stops. */
  graceMs: number;
}

const usualLimits: ServerLimits = {
  requests: 64,
  bytes: 256e6,
  bodyBytes: 32e6,
  headersMs: 10_000,
  requestMs: 30_000,
  graceMs: 10_000,
};

export interface RunningServer {
  /** As in `http://127.0.0.1:8080`. */
  url: string;
  /** Takes no more requests, ends those that there are, and resolves. */
  stop(): Promise<void>;
}

export interface ServerAddress {
  host: string;
  /** 0 takes one that is free. */
  port: number;
}

/** Rejects with the system's error where the address can't be used. */
export async function startServer(
  parts: ServerParts,
  { host, port }: ServerAddress,
  changedLimits: Partial<ServerLimits> = {},
): Promise<RunningServer> {
  const limits = { ...usualLimits, ...changedLimits };
  const { headersMs, requestMs, graceMs } = limits;
  let isStopping = false;
  const route = createRoutes(parts, limits, isLoopback(host));
  const listener: RequestListener = (request, response) => {
    addHeaders(response);
    if (isStopping) response.setHeader('Connection', 'close');
    route(request, response).catch((error: unknown) => sendError(request, response, error, parts.onBug));
  };
  const timeouts = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: headersMs / 10,
  };
  const server = createServer(timeouts, listener);
  // Whoever waits to be asked for the body learns at once that it is not wanted.
  server.on('checkContinue', listener);
  // Connections on which nothing moves: also of clients that do not read their answer.
  server.setTimeout(2 * requestMs);
  server.maxConnections = 8 * limits.requests;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  const { address, family, port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`,
    async stop() {
      isStopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Clients keep their connections for a next request.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearInterval(sweep);
      clearTimeout(timer);
    },
  };
}

type Route = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Rejects with an HttpError for what is not served. */
function createRoutes(
  { classifier, classes, site, about }: ServerParts,
  limits: ServerLimits,
  isLocal: boolean,
): Route {
  const room = createRoom(limits);

  const predict: Route = async (request, response) => {
    const count = countOf(urlOf(request).searchParams, classes.length);
    checkHeaders(request, limits.bodyBytes);
    const place = room.enter();
    try {
      if (request.headers.expect !== undefined) response.writeContinue();
      const body = await readBody(request, place, limits.bodyBytes);
      const probabilities = await classifier.classify(await imageIn(body, request));
      sendJson(request, response, 200, predictionOf(probabilities, classes, count));
    } finally {
      place.leave();
    }
  };

  return async (request, response) => {
    if (isLocal) requireLocalName(request);
    const { pathname } = urlOf(request);
    if (pathname === '/predict') {
      requireMethod(request, ['POST']);
      await predict(request, response);
    } else if (pathname === '/health') {
      requireMethod(request, ['GET', 'HEAD']);
      sendJson(request, response, 200, { status: 'ok', requests: room.requests, ...about });
    } else if (site.has(pathname)) {
      requireMethod(request, ['GET', 'HEAD']);
      site.serve(pathname, request, response);
    } else {
      throw new HttpError(404, 'There is nothing here: the page is at /, and images are sent to /predict.');
    }
  };
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  if (!URL.canParse(url, 'http://localhost')) throw new HttpError(400, 'The address is none.');
  return new URL(url, 'http://localhost');
}

function requireMethod({ method = '' }: IncomingMessage, allowed: readonly string[]): void {
  if (allowed.includes(method)) return;
  throw new HttpError(405, `Expected ${allowed.join(' or ')}, found ${method}.`, { Allow: allowed.join(', ') });
}

const isLoopback = (host: string) => /^(localhost|127(\.\d+){3}|::1)$/.test(host);

/** Pages of others reach a local server under a name of their own that they have made to mean this machine. */
function requireLocalName({ headers: { host = '' } }: IncomingMessage): void {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  if (isLoopback(name)) return;
  throw new HttpError(421, 'This server answers on this machine alone, under localhost or 127.0.0.1.');
}
