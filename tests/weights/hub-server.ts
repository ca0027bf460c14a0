// A Hugging Face hub on this machine, for tests: it speaks the protocol over HTTP, sends large files from a second server
// as the hub does from its CDN, and misbehaves when told to.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';

export interface HubFiles {
  /** Files by repository and path. Those of 1 kB and more are large files (LFS). */
  readonly [repo: string]: Readonly<Record<string, Buffer>>;
}

export interface SeenRequest {
  server: 'hub' | 'cdn';
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
}

/** What goes wrong with the next request that `server` gets; each happens once. */
export interface Fault {
  server: 'hub' | 'cdn';
  /** Answers with this status and these headers. */
  status?: number;
  headers?: Record<string, string>;
  /** Sends so many bytes of the body and cuts the connection. */
  cutAfter?: number;
  /** Sends so many bytes of the body and then nothing more, until `cutStalled`. */
  stallAfter?: number;
  /** Sends these bytes in place of the file's. */
  body?: Buffer;
}

export interface HubServer {
  readonly endpoint: string;
  readonly requests: SeenRequest[];
  readonly faults: Fault[];
  /** What the hub leaves out, as some mirrors do. */
  leaveOut: readonly string[];
  /** The CDN answers a range with the whole file. */
  ignoresRanges: boolean;
  /** A token without which `private/*` and `gated/*` are refused. */
  readonly token: string;
  /** The requests for bytes of files. */
  bodies(): SeenRequest[];
  /** Cuts the connections that have been stalled. */
  cutStalled(): void;
}

export const commit = '0123456789abcdef0123456789abcdef01234567';
const largeBytes = 1000;

export const sha256Of = (data: Buffer) => createHash('sha256').update(data).digest('hex');
export const gitSha1Of = (data: Buffer) =>
  createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');

/** Bytes that look like nothing, the same each time. */
export function noise(length: number, seed = 1): Buffer {
  let state = seed;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    }),
  );
}

/** Starts a hub with these files; it ends with the test file. */
export async function startHub(files: HubFiles): Promise<HubServer> {
  const requests: SeenRequest[] = [];
  const faults: Fault[] = [];
  const stalled = new Set<ServerResponse>();
  const cdnFiles = new Map(
    Object.values(files).flatMap((repo) => Object.values(repo).map((data) => [`/${sha256Of(data)}`, data])),
  );
  const serve = (server: 'hub' | 'cdn', answer: (request: IncomingMessage, response: ServerResponse) => void) =>
    listen(
      createServer((request, response) => {
        const { method = '', url = '', headers } = request;
        requests.push({ server, method, path: url, headers });
        const index = faults.findIndex((fault) => fault.server === server);
        const [fault] = index < 0 ? [] : faults.splice(index, 1);
        if (fault?.status !== undefined) response.writeHead(fault.status, fault.headers).end();
        else if (fault !== undefined) misbehave(response, fault);
        if (fault?.stallAfter !== undefined) stalled.add(response);
        if (!response.writableEnded) answer(request, response);
      }),
    );

  const cdn = await serve('cdn', (request, response) => {
    const data = cdnFiles.get(new URL(request.url ?? '', 'http://cdn').pathname);
    // A signed address and a token exclude each other there.
    if (data === undefined || request.headers.authorization !== undefined) response.writeHead(400).end();
    else sendFile(request, response, data, `"cdn-${sha256Of(data).slice(0, 8)}"`, hub.ignoresRanges);
  });
  const endpoint = await serve('hub', (request, response) => {
    const url = new URL(request.url ?? '', 'http://hub');
    const parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
    if (parts[0] === 'api') void answerApi(request, response, parts.slice(2), files);
    else resolveFile(request, response, parts);
  });

  function resolveFile(request: IncomingMessage, response: ServerResponse, parts: readonly string[]): void {
    const [owner, name, , revision = '', ...path] = parts;
    const repo = files[`${owner}/${name}`];
    const data = repo?.[path.join('/')];
    const refuse = (status: number, code: string) => response.writeHead(status, { 'X-Error-Code': code }).end();
    const isAllowed = request.headers.authorization === `Bearer ${hub.token}`;
    if (owner === 'gated' && !isAllowed) refuse(request.headers.authorization ? 403 : 401, 'GatedRepo');
    else if ((owner === 'private' && !isAllowed) || repo === undefined) refuse(isAllowed ? 404 : 401, 'RepoNotFound');
    else if (!['main', commit].includes(revision)) refuse(404, 'RevisionNotFound');
    else if (data === undefined) refuse(404, 'EntryNotFound');
    else if (data.length < largeBytes) {
      response.setHeader('X-Repo-Commit', commit);
      sendFile(request, response, data, `"${gitSha1Of(data)}"`, false);
    } else {
      const headers = {
        'X-Repo-Commit': commit,
        'X-Linked-Etag': `"${sha256Of(data)}"`,
        'X-Linked-Size': String(data.length),
        Location: `${cdn}/${sha256Of(data)}?signature=secret`,
      };
      response.writeHead(
        302,
        Object.fromEntries(Object.entries(headers).filter(([key]) => !hub.leaveOut.includes(key))),
      );
      response.end();
    }
  }

  const hub: HubServer = {
    endpoint,
    requests,
    faults,
    leaveOut: [],
    ignoresRanges: false,
    token: 'hf_secretsecret',
    bodies: () => requests.filter(({ server, method }) => server === 'cdn' && method === 'GET'),
    cutStalled: () => {
      for (const response of stalled) response.destroy();
      stalled.clear();
    },
  };
  return hub;
}

/** The interface for programs: /api/models/<repo>/(revision|tree|paths-info)/<revision>. */
async function answerApi(
  request: IncomingMessage,
  response: ServerResponse,
  [owner, name, what, revision]: readonly string[],
  files: HubFiles,
): Promise<void> {
  const repo = files[`${owner}/${name}`];
  const json = (value: unknown) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(value));
  if (repo === undefined || revision !== 'main') {
    response.writeHead(404, { 'X-Error-Code': 'RepoNotFound' }).end();
    return;
  }
  const entries = Object.entries(repo).map(([path, data]) => ({
    type: 'file',
    path,
    size: data.length,
    oid: gitSha1Of(data),
    ...(data.length >= largeBytes && { lfs: { oid: sha256Of(data), size: data.length, pointerSize: 134 } }),
  }));
  if (what === 'revision') json({ _id: '1', id: `${owner}/${name}`, sha: commit, lastModified: '2026-01-01' });
  else if (what === 'tree') json(entries);
  else {
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk);
    const { paths } = JSON.parse(Buffer.concat(body).toString()) as { paths: string[] };
    json(entries.filter(({ path }) => paths.includes(path)));
  }
}

function sendFile(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  data: Buffer,
  etag: string,
  ignoresRanges: boolean,
): void {
  const range = /^bytes=(\d+)-$/.exec(headers.range ?? '');
  const condition = headers['if-range'];
  const begin = Number(range?.[1] ?? 0);
  response.setHeader('ETag', etag);
  response.setHeader('Accept-Ranges', 'bytes');
  if (range === null || ignoresRanges || (condition !== undefined && condition !== etag)) {
    response.setHeader('Content-Length', data.length);
    response.end(method === 'HEAD' ? undefined : data);
  } else if (begin >= data.length) {
    response.writeHead(416, { 'Content-Range': `bytes */${data.length}` }).end();
  } else {
    response.writeHead(206, {
      'Content-Range': `bytes ${begin}-${data.length - 1}/${data.length}`,
      'Content-Length': data.length - begin,
    });
    response.end(data.subarray(begin));
  }
}

/** Changes what `response` will send. */
function misbehave(response: ServerResponse, { cutAfter, stallAfter, body }: Fault): void {
  const end = response.end.bind(response);
  response.end = ((data?: Buffer) => {
    if (!Buffer.isBuffer(data)) return end(data);
    if (body !== undefined) {
      response.setHeader('Content-Length', body.length);
      return end(body);
    }
    response.write(data.subarray(0, cutAfter ?? stallAfter), () => {
      if (cutAfter !== undefined) response.destroy();
    });
    return response;
  }) as typeof response.end;
}

/** An address at which nobody listens. */
export async function deadEndpoint(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
