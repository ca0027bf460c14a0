// Files that are served from memory, by their exact path: nothing else can be reached.

import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';

export interface Site {
  has(path: string): boolean;
  /** Answers GET and HEAD for a path that it has. */
  serve(path: string, request: IncomingMessage, response: ServerResponse): void;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.bin': 'application/octet-stream',
};

/** `files` by their path without a slash before it; `index.html` is the root, too. */
export function createSite(files: ReadonlyMap<string, Uint8Array>): Site {
  const nameOf = (path: string) => (path === '/' ? 'index.html' : path.slice(1));
  const tags = new Map<string, string>();
  const tagOf = (name: string, bytes: Uint8Array) => {
    const tag = tags.get(name) ?? `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`;
    tags.set(name, tag);
    return tag;
  };
  return {
    has: (path) => files.has(nameOf(path)),
    serve(path, request, response) {
      const name = nameOf(path);
      const bytes = files.get(name);
      if (!bytes) throw new Error(`internal: the site has no ${name}`);
      const tag = tagOf(name, bytes);
      response.setHeader('ETag', tag);
      // Asked for again each time, and sent again only when it has changed.
      response.setHeader('Cache-Control', 'no-cache');
      if (request.headers['if-none-match'] === tag) {
        response.writeHead(304).end();
        return;
      }
      response.setHeader('Content-Type', types[extname(name)] ?? 'application/octet-stream');
      response.setHeader('Content-Length', bytes.length);
      response.writeHead(200).end(request.method === 'HEAD' ? undefined : bytes);
    },
  };
}
