import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { SourceFailure } from '#src/weights/download-failure.js';
import { downloadFromHub } from '#src/weights/hub.js';
import { type HubAddress, readHubAddress } from '#src/weights/hub-address.js';
import { readHubEnvironment } from '#src/weights/hub-environment.js';
import { impatience, makePlace } from './hub-place.js';
import { commit, deadEndpoint, gitSha1Of, noise, sha256Of, startHub } from './hub-server.js';

const weights = noise(300_000);
const repo = { 'model.safetensors': weights, 'config.json': Buffer.from('{}'), 'deep/er/file.bin': noise(2_000, 3) };
const hub = await startHub({ 'timm/tiny.tv_in1k': repo, 'gated/tiny': repo, 'private/tiny': repo });
const { home, said } = makePlace(hub);
const folder = join(home, 'hub/models--timm--tiny.tv_in1k');
const blob = join(folder, 'blobs', sha256Of(weights));

function get(address: string | HubAddress = 'hf:timm/tiny.tv_in1k'): Promise<string> {
  const wanted = typeof address === 'string' ? readHubAddress(address)[0] : address;
  return downloadFromHub(wanted, readHubEnvironment(), impatience);
}

async function assertFails(work: Promise<unknown>, reason: RegExp, mend?: RegExp): Promise<void> {
  await assert.rejects(work, (error: SourceFailure) => {
    assert.match(error.message, reason);
    if (mend !== undefined) assert.match(error.mend ?? '', mend);
    assert.match(error.name, /^(Source|Transient)Failure$/, error.stack);
    return true;
  });
}

/** Nothing that another run would take for a file. */
function assertNothingCached(): void {
  assert.ok(!existsSync(blob), 'a blob appeared');
  assert.ok(!existsSync(join(folder, 'snapshots')), 'a snapshot appeared');
  assert.ok(!existsSync(join(folder, 'refs')), 'a ref appeared');
}

test("a file comes through the CDN and lies as the hub's own library puts it", async () => {
  const path = await get();
  assert.equal(path, join(folder, 'snapshots', commit, 'model.safetensors'));
  assert.deepEqual(readFileSync(path), weights);
  assert.equal(readlinkSync(path), `../../blobs/${sha256Of(weights)}`);
  assert.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), commit);
  assert.deepEqual(readdirSync(join(folder, 'blobs')), [sha256Of(weights)]);
  assert.deepEqual(readdirSync(join(home, 'hub/.locks/models--timm--tiny.tv_in1k')), []);
  assert.deepEqual(
    hub.requests.map(({ server, method }) => `${server} ${method}`),
    ['hub HEAD', 'hub GET', 'cdn GET'],
  );
  assert.match(said.join(''), /^weights: downloading timm\/tiny\.tv_in1k \(300 kB\) \.\.\.\n/);
});

test('a second time nothing is asked', async () => {
  await get();
  hub.requests.length = 0;
  await get();
  assert.deepEqual(hub.requests, []);
});

test('a damaged blob is downloaded again', async () => {
  const path = await get();
  writeFileSync(blob, noise(300_000, 9));
  await get();
  assert.deepEqual(readFileSync(path), weights);
});

test('small files, files in folders, and a commit as the revision', async () => {
  const config = await get('hf:timm/tiny.tv_in1k:config.json');
  assert.equal(readFileSync(config, 'utf8'), '{}');
  assert.equal(readlinkSync(config), `../../blobs/${gitSha1Of(Buffer.from('{}'))}`);
  const deep = await get(`hf:timm/tiny.tv_in1k@${commit}:deep/er/file.bin`);
  assert.deepEqual(readFileSync(deep), repo['deep/er/file.bin']);
  assert.match(readlinkSync(deep), /^\.\.\/\.\.\/\.\.\/\.\.\/blobs\//);
  assert.deepEqual(readdirSync(join(folder, 'refs')), ['main']);
});

test('a mirror that leaves out headers is asked for them by way of the library', async () => {
  for (const leaveOut of [['X-Linked-Etag'], ['X-Linked-Size', 'X-Linked-Etag'], ['X-Repo-Commit']]) {
    hub.leaveOut = leaveOut;
    assert.deepEqual(readFileSync(await get()), weights, String(leaveOut));
    assert.ok(
      hub.requests.some(({ path }) => path.startsWith('/api/models/timm/tiny.tv_in1k/')),
      String(leaveOut),
    );
    hub.requests.length = 0;
    writeFileSync(blob, 'damaged');
  }
});

test('a cut connection is taken up where it was cut', async () => {
  hub.faults.push({ server: 'cdn', cutAfter: 100_000 }, { server: 'cdn', cutAfter: 50_000 });
  assert.deepEqual(readFileSync(await get()), weights);
  const [first, second, third] = hub.bodies();
  assert.equal(first?.headers.range, undefined);
  const begin = Number(/^bytes=(\d+)-$/.exec(second?.headers.range ?? '')?.[1]);
  assert.ok(begin > 0 && begin <= 100_000, String(begin));
  assert.match(third?.headers.range ?? '', /^bytes=\d+-$/);
  assert.equal(second?.headers['if-range'], `"cdn-${sha256Of(weights).slice(0, 8)}"`);
  assert.equal(hub.bodies().length, 3);
  assert.match(said.join(''), /the connection to 127\.0\.0\.1:\d+ was cut; trying again in /);
});

test('what an earlier process has begun is continued', async () => {
  mkdirSync(dirname(blob), { recursive: true });
  writeFileSync(`${blob}.deep-cnn.incomplete`, weights.subarray(0, 123_456));
  assert.deepEqual(readFileSync(await get()), weights);
  assert.deepEqual(
    hub.bodies().map(({ headers }) => headers.range),
    ['bytes=123456-'],
  );
  assert.ok(!existsSync(`${blob}.deep-cnn.incomplete`));
});

test('a beginning that proves damaged, or too long, is dropped and all is downloaded', async () => {
  for (const begun of [noise(1_000, 7), noise(300_001, 7), noise(300_000, 7)]) {
    mkdirSync(dirname(blob), { recursive: true });
    writeFileSync(`${blob}.deep-cnn.incomplete`, begun);
    assert.deepEqual(readFileSync(await get()), weights);
    writeFileSync(blob, 'damaged');
  }
});

test('a server without ranges sends all again', async () => {
  hub.ignoresRanges = true;
  hub.faults.push({ server: 'cdn', cutAfter: 100_000 });
  assert.deepEqual(readFileSync(await get()), weights);
});

test('a connection that is always cut is given up, and what came is kept', async () => {
  hub.ignoresRanges = true;
  for (let index = 0; index < 9; index += 1) hub.faults.push({ server: 'cdn', cutAfter: 50_000 });
  await assertFails(get(), /was cut$/);
  assertNothingCached();
  assert.ok(hub.bodies().length <= 1 + 2 * impatience.retries);
  assert.ok(existsSync(`${blob}.deep-cnn.incomplete`));
});

test('a server that falls silent is not waited for', async () => {
  hub.faults.push({ server: 'cdn', stallAfter: 100_000 });
  assert.deepEqual(readFileSync(await get()), weights);
  assert.match(said.join(''), /has fallen silent; trying again/);
});

test('other bytes than promised are refused', async () => {
  hub.faults.push({ server: 'cdn', body: noise(300_000, 2) });
  await assertFails(get(), /^what came is not the file: its sha256 differs from [0-9a-f]{64}$/);
  assertNothingCached();
  assert.ok(!existsSync(`${blob}.deep-cnn.incomplete`), 'damaged bytes stayed');
  hub.faults.push({ server: 'cdn', body: noise(400_000, 2) });
  await assertFails(get(), /sends more than the 300000 bytes/);
  assertNothingCached();
});

test('429 and 5xx are waited for as asked', async () => {
  hub.faults.push({ server: 'hub', status: 429, headers: { 'Retry-After': '1' } }, { server: 'hub', status: 503 });
  hub.faults.push({ server: 'cdn', status: 500 });
  const startMs = performance.now();
  assert.deepEqual(readFileSync(await get()), weights);
  assert.ok(performance.now() - startMs >= 1_000);
  assert.match(said.join(''), /asks for fewer requests \(429\); trying again in 1\.0 s/);
});

test('a server asks for too much patience', async () => {
  hub.faults.push({ server: 'hub', status: 429, headers: { 'Retry-After': '3600' } });
  await assertFails(get(), /asks for fewer requests \(429\)/);
  assert.equal(hub.requests.length, 1);
  for (let index = 0; index < 9; index += 1) hub.faults.push({ server: 'hub', status: 502 });
  await assertFails(get(), /is out of order \(502\)/);
  assert.equal(hub.requests.length, 1 + 1 + impatience.retries);
});

test('what is not there', async () => {
  await assertFails(get('hf:timm/tiny.tv_in1k:other.bin'), /^no such file \(404\)$/);
  await assertFails(get('hf:timm/tiny.tv_in1k@v2'), /^no such revision \(404\)$/);
  await assertFails(get('hf:timm/none'), /^no such repository, or a private one \(401\)$/, /^Set HF_TOKEN /);
  assertNothingCached();
});

test('restricted repositories need the token', async () => {
  await assertFails(get('hf:gated/tiny'), /^access is restricted \(401\)$/, /^Set HF_TOKEN /);
  process.env['HF_TOKEN'] = 'hf_another';
  await assertFails(get('hf:gated/tiny'), /^access is restricted \(403\)$/, /valid and may read it.* accept terms/);
  await assertFails(get('hf:private/tiny'), /^an access token that is not accepted, or no such repository \(401\)$/);
  process.env['HF_TOKEN'] = hub.token;
  assert.deepEqual(readFileSync(await get('hf:gated/tiny')), weights);
});

test('the token reaches the hub alone, and is never told', async () => {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'token'), `${hub.token}\n`);
  hub.faults.push({ server: 'cdn', cutAfter: 10 });
  assert.deepEqual(readFileSync(await get('hf:private/tiny')), weights);
  const tokens = (server: string) =>
    new Set(hub.requests.filter((seen) => seen.server === server).map(({ headers }) => headers.authorization));
  assert.deepEqual(tokens('hub'), new Set([`Bearer ${hub.token}`]));
  assert.deepEqual(tokens('cdn'), new Set([undefined]));
  assert.ok(!said.join('').includes('secret'));
});

test('no connection, no hub at all, and offline', async () => {
  process.env['HF_ENDPOINT'] = await deadEndpoint();
  await assertFails(get(), /^no connection to 127\.0\.0\.1:\d+ \(ECONNREFUSED\)$/);
  assert.equal(said.join('').match(/trying again/g)?.length, 1, 'asked again and again where nothing answers');

  process.env['HF_ENDPOINT'] = hub.endpoint;
  hub.faults.push({ server: 'hub', status: 200 }, { server: 'hub', status: 200 });
  await assertFails(get(), /does not answer as the hub does/, /HF_ENDPOINT/);

  process.env['HF_HUB_OFFLINE'] = '1';
  hub.requests.length = 0;
  await assertFails(get(), /^HF_HUB_OFFLINE is set$/);
  assert.deepEqual(hub.requests, []);
  assertNothingCached();
});

test('redirects without end, or to where nobody should go', async () => {
  for (let index = 0; index < 20; index += 1) {
    hub.faults.push({ server: 'hub', status: 302, headers: { Location: '/again' } });
  }
  await assertFails(get(), /redirects without end/);
  hub.faults.length = 0;
  hub.faults.push({ server: 'hub', status: 302, headers: { Location: 'file:///etc/passwd' } });
  await assertFails(get(), /redirects to an address that is not followed/);
});

test('a cache that cannot be written to', async () => {
  process.env['HF_HOME'] = '/proc/deep-cnn';
  await assertFails(get(), /^\/proc\/deep-cnn\/hub can't be written to \(E\w+\)$/, /HF_HOME/);
  assert.equal(hub.bodies().length, 0);
});
