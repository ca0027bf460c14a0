// The uploading thread. W&B's SDK lives here and nowhere else: a thread gets no signals, so that the handlers which the SDK
// installs for SIGINT and SIGTERM never hear one, its process.exit and its uncaught errors end this thread and not the
// training, what it prints can be left out, and its network goes on while a training step blocks the main thread.
//
// The SDK registers the run, queues rows and paces their upload. What it can't do is done around it: it is told at which
// line of the run's history to go on (it knows only 0), and its requests are replaced by ones that know proxies and are
// tried again until the server has confirmed them. A row's place in the history is its epoch, so that sending it twice
// changes nothing.

import { hostname } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import wandb from '@wandb/sdk';
import { messageOf } from '../errors.js';
import type { UploadReply, UploadRequest, UploadTask } from './wandb-messages.js';
import { relaySdk, relayUrl } from './wandb-relay.js';
import { createServer, read, WandbOutage, WandbRefusal } from './wandb-server.js';
import { runAddress } from './wandb-settings.js';

const port = parentPort;
if (port === null) throw new Error('internal: wandb-worker.js runs only as a worker thread');
const tell = (reply: UploadReply) => port.postMessage(reply);

const { key, run, project, patience, sentRows, ...task }: UploadTask = workerData;
const rows = [...task.rows];
const summary = { ...task.summary };
const server = createServer({
  baseUrl: run.baseUrl,
  key,
  patience,
  onTrouble: (message, count) => tell({ kind: 'trouble', message, count }),
});

const historyName = 'wandb-history.jsonl';
const summaryName = 'wandb-summary.json';

type SdkRun = Awaited<ReturnType<typeof wandb.init>>;

/** What a file stream sends: lines of files, each from a line on. */
interface StreamBody {
  files?: Record<string, { content: string[]; offset?: number }>;
}

/** The parts of the SDK's file stream that are changed from outside. */
interface FileStreamParts {
  lastChunks: { [historyName]: { offset: number } };
  currentDelay: () => number;
  delay: { cancel: () => boolean };
  send: (body: StreamBody) => Promise<unknown>;
}

/** Between two uploads of the SDK's queue. */
const paceMs = 1_000;
/** W&B takes a run for crashed that has been silent for some minutes. */
const heartbeatMs = 30_000;

let sdkRun: SdkRun | undefined;
let streamPath = '';
let confirmedRows = 0;
/** Requests go one after the other. */
let lastPost: Promise<unknown> = Promise.resolve();
let isPosting = false;
let heartbeat: NodeJS.Timeout | undefined;

relaySdk(server, giveUp);
const ready = connect();
ready.catch(giveUp);

port.on('message', (request: UploadRequest) => {
  switch (request.kind) {
    case 'row':
      rows.push(request.row);
      if (sdkRun) sdkRun.log({ ...request.row }, request.row._step);
      break;
    case 'summary':
      Object.assign(summary, request.values);
      break;
    case 'finish':
      ready.then(() => finish(request)).then(() => tell({ kind: 'finished' }), giveUp);
      break;
  }
});

function giveUp(error: unknown): void {
  tell({ kind: 'gave-up', message: messageOf(error), isOutage: error instanceof WandbOutage });
}

/** Registers the run and hands over the rows that the server lacks. */
async function connect(): Promise<void> {
  const { entity, lines } = await askServer();
  const started = await wandb.init({
    id: run.id,
    name: run.name,
    project,
    entity,
    config: run.config,
    settings: { apiKey: key, baseUrl: relayUrl, offline: false, silent: true },
  });
  const stream = streamOf(started);
  streamPath = `/files/${[entity, project, run.id].map(encodeURIComponent).join('/')}/file_stream`;
  confirmedRows = Math.min(sentRows, lines, rows.length);
  stream.lastChunks[historyName].offset = confirmedRows;
  stream.currentDelay = () => paceMs;
  stream.send = send;
  await describeRun(entity);
  tell({ kind: 'connected', address: runAddress(run.baseUrl, { entity, project, id: run.id }) });
  for (const row of rows.slice(confirmedRows)) started.log({ ...row }, row._step);
  sdkRun = started;
  heartbeat = setInterval(() => {
    if (!isPosting) post({ complete: false, failed: false, dropped: 0, uploaded: [] }).catch(giveUp);
  }, heartbeatMs);
}

/** Whose run it is to be, and how many lines of history the server has of it. */
async function askServer(): Promise<{ entity: string; lines: number }> {
  const query = `query Run($project: String, $entity: String, $name: String!) {
    viewer { entity }
    model(name: $project, entityName: $entity) {
      entity { name }
      bucket(name: $name, missingOk: true) { historyLineCount }
    }
  }`;
  const variables = { project, entity: run.entity, name: run.id };
  const data = read(await server.post('/graphql', { query, variables }), 'data');
  const model = read(data, 'model');
  const entity = run.entity ?? read(read(model, 'entity'), 'name') ?? read(read(data, 'viewer'), 'entity');
  if (typeof entity !== 'string' || entity === '') throw new WandbRefusal('it does not know whose API key this is');
  const lines = read(read(model, 'bucket'), 'historyLineCount');
  return { entity, lines: typeof lines === 'number' ? lines : 0 };
}

function streamOf(started: SdkRun): FileStreamParts {
  const stream = started._messenger.sender?.filestream as unknown as FileStreamParts | undefined;
  const isKnown = typeof stream?.send === 'function' && typeof stream.currentDelay === 'function';
  if (isKnown && stream.lastChunks?.[historyName]) return stream;
  throw new Error("internal: the W&B SDK's file stream is not as it was in version 0.5");
}

/** What the SDK does not say of a run. */
async function describeRun(entity: string): Promise<void> {
  const query = `mutation DescribeRun($name: String!, $project: String, $entity: String, $group: String,
    $jobType: String, $notes: String, $tags: [String!], $host: String, $program: String) {
    upsertBucket(input: { name: $name, modelName: $project, entityName: $entity, groupName: $group, jobType: $jobType,
      notes: $notes, tags: $tags, host: $host, jobProgram: $program }) { bucket { id } }
  }`;
  const { id: name, group, jobType, notes } = run;
  const tags = run.tags.length > 0 ? { tags: run.tags } : {};
  const variables = { name, project, entity, group, jobType, notes, ...tags, host: hostname(), program: 'deep-cnn' };
  await server.post('/graphql', { query, variables });
}

/** In place of the SDK's own, whose failures would be thrown where nobody can catch them. */
async function send(body: StreamBody): Promise<void> {
  try {
    await sendRows(body);
  } catch (error) {
    giveUp(error);
    await new Promise<never>(() => {});
  }
}

/** Sends the journal's rows, with the times of their epochs, in place of the SDK's. */
async function sendRows(body: StreamBody): Promise<void> {
  const history = body.files?.[historyName];
  if (body.files === undefined || history === undefined) return post(body);
  const from = history.offset ?? 0;
  const until = from + history.content.length;
  const sent = rows.slice(from, until).map((row) => JSON.stringify(row));
  await post({ files: { [historyName]: { offset: from, content: sent }, [summaryName]: summaryChunk(until) } });
  confirmedRows = until;
  tell({ kind: 'sent', rows: until });
}

function summaryChunk(until: number) {
  return { offset: 0, content: [JSON.stringify({ ...rows[until - 1], ...summary })] };
}

function post(body: object): Promise<void> {
  const posted = lastPost.then(async () => {
    isPosting = true;
    await server.post(streamPath, body);
    isPosting = false;
  });
  lastPost = posted;
  return posted;
}

async function finish({ exitCode, isPreempted }: UploadRequest & { kind: 'finish' }): Promise<void> {
  const sender = sdkRun?._messenger.sender;
  while (confirmedRows < rows.length) {
    // The SDK looks at its queues only now and then: nobody should wait for that now.
    sender?.delay.cancel();
    if (sdkRun) streamOf(sdkRun).delay.cancel();
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Fails when a request has failed for good.
    await lastPost;
  }
  if (rows.length > 0 || Object.keys(summary).length > 0) {
    await post({ files: { [summaryName]: summaryChunk(rows.length) } });
  }
  // One that came after the end would make the run a running one again.
  clearInterval(heartbeat);
  if (exitCode === undefined) return;
  if (isPreempted) await post({ complete: false, preempting: true, dropped: 0, uploaded: [] });
  await sdkRun?.finish(exitCode);
}
