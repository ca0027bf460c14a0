// A W&B server on this machine, for tests: GraphQL as the SDK and this program ask it, and file streams, whose lines are
// kept by their offsets. It misbehaves when told to.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface StoredRun {
  project: string;
  entity: string;
  displayName: string | undefined;
  config: Record<string, unknown>;
  group: string | undefined;
  tags: readonly string[];
  history: Record<string, unknown>[];
  summary: Record<string, unknown>;
  /** How often each line has arrived. */
  arrivals: number[];
  state: 'running' | 'preempting' | 'finished';
  exitCode: number | undefined;
}

export interface SeenRequest {
  kind: 'query' | 'viewer' | 'upsert' | 'describe' | 'stream' | 'complete';
  body: Record<string, unknown>;
  authorization: string | undefined;
  /** What became of it; undefined when it was served. */
  fault: Fault | undefined;
}

export interface Fault {
  status?: number;
  headers?: Record<string, string>;
  /** Cuts the connection before or after the request is heeded. */
  cut?: 'before' | 'after';
  /** Never answers. */
  hang?: boolean;
  /** Answers only after this time. */
  delayMs?: number;
}

export interface WandbServer {
  readonly baseUrl: string;
  readonly runs: Map<string, StoredRun>;
  readonly requests: SeenRequest[];
  /** What happens to the next request of a kind. */
  behave: (kind: SeenRequest['kind']) => Fault | undefined;
  /** Resolves when the condition holds; it is asked after each request. */
  until(condition: () => boolean): Promise<void>;
  /** Stops listening and cuts all connections; the port stays free. */
  stop(): Promise<void>;
  /** Listens again at the same address. */
  resume(): Promise<void>;
}

export const apiKey = 'key-for-tests-0123456789';

/** A server that stops after the test, or whatever else has an end. */
export async function startWandbServer(context: Pick<TestContext, 'after'>): Promise<WandbServer> {
  const runs = new Map<string, StoredRun>();
  const requests: SeenRequest[] = [];
  const watchers = new Set<() => void>();
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    void serve(request, response).finally(() => {
      for (const watch of watchers) watch();
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;

  const control: WandbServer = {
    baseUrl: `http://127.0.0.1:${port}`,
    runs,
    requests,
    behave: () => undefined,
    until: (condition) =>
      new Promise((resolve) => {
        const watch = () => {
          if (!condition()) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
      }),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
    resume: () => listen(server, port),
  };
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return control;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const kind = kindOf(request.url ?? '', body);
    const fault = control.behave(kind);
    requests.push({ kind, body, authorization: request.headers.authorization, fault });
    if (fault?.hang) return;
    if (fault?.cut === 'before') return void request.socket.destroy();
    if (fault?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    if (fault?.status !== undefined) return answer(response, fault.status, { error: 'as told' }, fault.headers);
    if (request.headers.authorization !== `Basic ${Buffer.from(`api:${apiKey}`).toString('base64')}`) {
      return answer(response, 401, { error: 'user is not logged in' });
    }
    const reply = heed(request.url ?? '', kind, body);
    if (fault?.cut === 'after') return void request.socket.destroy();
    answer(response, reply === undefined ? 404 : 200, reply ?? { error: 'no such run' });
  }

  function heed(url: string, kind: SeenRequest['kind'], body: Record<string, unknown>): object | undefined {
    const variables = (body['variables'] ?? {}) as Record<string, string | undefined>;
    const { project = '', name = '' } = variables;
    switch (kind) {
      case 'viewer':
        return { data: { viewer: { id: 'v', entity: 'student', flags: '{}', teams: { edges: [] } } } };
      case 'query': {
        const run = runs.get(`${variables['entity'] ?? 'student'}/${project}/${name}`);
        const model = run && { entity: { name: run.entity }, bucket: { historyLineCount: run.history.length } };
        return { data: { viewer: { entity: 'student' }, model: model ?? null } };
      }
      case 'upsert':
      case 'describe': {
        const entity = variables['entity'] ?? '';
        const path = `${entity}/${project}/${name}`;
        const run = runs.get(path) ?? newRun(project, entity);
        runs.set(path, run);
        run.state = 'running';
        run.exitCode = undefined;
        if (variables['config'] !== undefined) run.config = JSON.parse(variables['config']);
        run.displayName = variables['displayName'] ?? run.displayName;
        run.group = variables['group'] ?? run.group;
        const { tags } = variables as { tags?: string[] };
        run.tags = tags ?? run.tags;
        const bucket = {
          id: path,
          name,
          displayName: run.displayName,
          project: { name: project, entity: { name: entity } },
        };
        return { data: { upsertBucket: { bucket, inserted: true } } };
      }
      case 'stream':
      case 'complete': {
        const path = /^\/files\/(.*)\/file_stream$/.exec(url)?.[1];
        const run = path === undefined ? undefined : runs.get(path.split('/').map(decodeURIComponent).join('/'));
        return run && stream(run, body);
      }
    }
  }
}

interface Chunk {
  offset: number;
  content: string[];
}

function stream(run: StoredRun, body: Record<string, unknown>): object {
  const files = (body['files'] ?? {}) as Record<string, Chunk | undefined>;
  const history = files['wandb-history.jsonl'];
  for (const [index, line] of history?.content.entries() ?? []) {
    const at = (history?.offset ?? 0) + index;
    if (at > run.history.length) throw new Error(`line ${at} of a history of ${run.history.length} lines`);
    run.history[at] = JSON.parse(line);
    run.arrivals[at] = (run.arrivals[at] ?? 0) + 1;
  }
  const summary = files['wandb-summary.json'];
  if (summary) run.summary = JSON.parse(summary.content.at(-1) ?? '{}');
  if (body['preempting'] === true) run.state = 'preempting';
  else if (body['complete'] === true) run.state = 'finished';
  else if (run.state === 'finished') run.state = 'running';
  if (body['complete'] === true) run.exitCode = Number(body['exitcode']);
  return { exitcode: null, limits: {} };
}

function newRun(project: string, entity: string): StoredRun {
  return {
    project,
    entity,
    displayName: undefined,
    config: {},
    group: undefined,
    tags: [],
    history: [],
    summary: {},
    arrivals: [],
    state: 'running',
    exitCode: undefined,
  };
}

function kindOf(url: string, body: Record<string, unknown>): SeenRequest['kind'] {
  if (url !== '/graphql') return body['complete'] === true ? 'complete' : 'stream';
  const query = String(body['query']);
  if (query.includes('mutation UpsertBucket')) return 'upsert';
  if (query.includes('mutation DescribeRun')) return 'describe';
  return query.includes('query Viewer') ? 'viewer' : 'query';
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString());
}

function answer(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}
