// A server of one archive on this machine, for tests: it knows ranges, counts what it sends, and misbehaves when told to.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** What goes wrong with the next request of this method ('GET' when not said); each happens once. */
export interface Fault {
  method?: 'HEAD' | 'GET';
  status?: number;
  /** Sends so many bytes of the body and cuts the connection. */
  cutAfter?: number;
  /** Sends so many bytes of the body and then nothing more. */
  stallAfter?: number;
}

export interface ArchiveServer {
  readonly url: string;
  body: Buffer;
  etag: string;
  readonly faults: Fault[];
  /** Whether it can begin in the middle. */
  ranges: boolean;
  /** Whether it tells how much it sends. */
  length: boolean;
  /** The requests, as `GET 0` or `HEAD`. */
  readonly requests: string[];
  sentBytes: number;
}

/** Starts a server that ends with the test. */
export async function startServer(t: TestContext, body: Buffer): Promise<ArchiveServer> {
  const http = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  const server: ArchiveServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/places.tar`,
    body,
    etag: '"first"',
    faults: [],
    ranges: true,
    length: true,
    requests: [],
    sentBytes: 0,
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const asked = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const isHead = request.method === 'HEAD';
    server.requests.push(isHead ? 'HEAD' : `GET ${asked}`);
    const index = server.faults.findIndex(({ method = 'GET' }) => method === request.method);
    const [fault = {}] = index < 0 ? [] : server.faults.splice(index, 1);
    if (fault.status !== undefined) {
      response.writeHead(fault.status).end(isHead ? undefined : 'no');
      return;
    }
    const start = server.ranges ? asked : 0;
    const total = server.body.length;
    if (start > 0 && start >= total) {
      response.writeHead(416, { 'Content-Range': `bytes */${total}` }).end();
      return;
    }
    if (start > 0) response.setHeader('Content-Range', `bytes ${start}-${total - 1}/${total}`);
    if (server.ranges) response.setHeader('Accept-Ranges', 'bytes');
    if (server.length) response.setHeader('Content-Length', total - start);
    response.setHeader('ETag', server.etag);
    response.writeHead(server.ranges && request.headers.range !== undefined ? 206 : 200);
    if (isHead) {
      response.end();
      return;
    }
    const end = Math.min(total, start + (fault.cutAfter ?? fault.stallAfter ?? total));
    server.sentBytes += end - start;
    response.write(server.body.subarray(start, end), () => {
      if (fault.cutAfter !== undefined) response.destroy();
      else if (fault.stallAfter === undefined) response.end();
    });
  }
  return server;
}
