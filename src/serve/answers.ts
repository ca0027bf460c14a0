// What all answers have in common.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { UnreadableImageError } from '../data/unreadable-image.js';
import { HttpError } from './http-error.js';

/**
 * The page's own, which stands in src/page/index.html for servers that send none, and that nobody may frame it. Not read
 * from there: all answers have it, not the page alone, and workers get theirs from here.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "media-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const safetyHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': policy,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(self), microphone=(), geolocation=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export function addHeaders(response: ServerResponse, headers = safetyHeaders): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

/** Sends an object, or for HEAD its headers alone. */
export function sendJson({ method }: IncomingMessage, response: ServerResponse, status: number, value: object): void {
  const text = `${JSON.stringify(value)}\n`;
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.setHeader('Cache-Control', 'no-store');
  response.writeHead(status).end(method === 'HEAD' ? undefined : text);
}

/** How long the rest of a refused request may take, in milliseconds. */
const discardMs = 5000;

/** Tells why a request is not served. `onBug` is told of what is not the request's fault. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  onBug: (error: unknown) => void,
): void {
  // Whoever has gone needs no answer.
  if (response.destroyed || response.headersSent) return;
  const { status, message, headers } = asHttpError(error, onBug);
  addHeaders(response, headers);
  sendJson(request, response, status, { error: message });
  if (request.complete) return;
  // A connection that is closed while its body arrives loses the answer on its way: the rest is read, and forgotten.
  request.resume();
  const timer = setTimeout(() => request.destroy(), discardMs).unref();
  request.once('close', () => clearTimeout(timer));
}

function asHttpError(error: unknown, onBug: (error: unknown) => void): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof UnreadableImageError) {
    return new HttpError(422, `The image can't be read: it is ${error.reason}.`);
  }
  onBug(error);
  return new HttpError(500, 'The server has made a mistake; its log tells which.');
}
