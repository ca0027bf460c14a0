import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, test } from 'node:test';
import { HubClient } from '#src/weights/hub-client.js';
import { impatience, makePlace } from './hub-place.js';
import { commit, noise, startHub } from './hub-server.js';

const hub = await startHub({ 'timm/tiny': { 'model.safetensors': noise(2_000) } });
makePlace(hub);

const path = `/timm/tiny/resolve/${commit}/model.safetensors`;

async function withClient<T>(endpoint: string, use: (client: HubClient) => Promise<T>): Promise<T> {
  const client = new HubClient({ endpoint, token: hub.token }, impatience);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

test('a proxy from the environment is used, and NO_PROXY heeded', async () => {
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    const { port } = new URL(hub.endpoint);
    const there = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      there.pipe(socket).pipe(there);
    });
    there.on('error', () => socket.destroy());
    socket.on('error', () => there.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  after(() => proxy.close());
  process.env['HTTP_PROXY'] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;

  const enough = () => true;
  const [answer] = await withClient('http://hub.example', (client) =>
    client.send(`http://hub.example${path}`, { method: 'HEAD' }, enough),
  );
  assert.equal(answer?.headers.get('x-repo-commit'), commit);
  assert.deepEqual(asked, ['hub.example:80']);
  assert.equal(hub.requests[0]?.headers.authorization, `Bearer ${hub.token}`);

  process.env['NO_PROXY'] = '127.0.0.1';
  await withClient(hub.endpoint, (client) => client.send(`${hub.endpoint}${path}`, { method: 'HEAD' }, enough));
  assert.equal(asked.length, 1);
});

test('redirects are followed to their end, with the token for the hub only', async () => {
  hub.faults.push({ server: 'hub', status: 307, headers: { Location: path } });
  const answers = await withClient(hub.endpoint, (client) =>
    client.send(`${hub.endpoint}/old/name`, { method: 'GET' }),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    [307, 302, 200],
  );
  assert.equal((await answers[2]?.arrayBuffer())?.byteLength, 2_000);
  assert.deepEqual(
    hub.requests.map(({ headers }) => headers.authorization !== undefined),
    [true, true, false],
  );
});

test("the hub's own library works through it, and its failures are told alike", async () => {
  await withClient(hub.endpoint, async (client) => {
    hub.faults.push({ server: 'hub', status: 500 });
    const answer = await client.fetch(`${hub.endpoint}/api/models/timm/tiny/revision/main`, { headers: { a: 'b' } });
    assert.equal(((await answer.json()) as { sha: string }).sha, commit);
    assert.equal(hub.requests.at(-1)?.headers['a'], 'b');
    await assert.rejects(client.fetch(`${hub.endpoint}/api/models/timm/none/revision/main`), {
      name: 'SourceFailure',
      message: 'no such repository (404)',
    });
  });
});
