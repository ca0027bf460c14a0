import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { readHubAddress } from '#src/weights/hub-address.js';
import { blobPath, findInHubCache, hubRepoFolder, linkIntoSnapshot } from '#src/weights/hub-cache.js';
import { hubCacheFolder, readHubEnvironment } from '#src/weights/hub-environment.js';
import { makePlace } from './hub-place.js';
import { noise, sha256Of } from './hub-server.js';

const { home } = makePlace();
const weights = noise(500);
const digest = { algorithm: 'sha256', hex: sha256Of(weights) } as const;
const folder = hubRepoFolder(home, 'timm/tiny');
const blob = blobPath(folder, digest);
const [one, two] = ['1'.repeat(40), '2'.repeat(40)];

beforeEach(() => {
  mkdirSync(join(folder, 'blobs'), { recursive: true });
  writeFileSync(blob, weights);
});

const find = (address = 'hf:timm/tiny') => findInHubCache(home, readHubAddress(address)[0]);
const link = (commit: string, revision = 'main') =>
  linkIntoSnapshot(folder, blob, { revision, file: 'model.safetensors', commit });

test('what is linked is found, by branch, by commit, with its digest', () => {
  assert.equal(find(), undefined);
  const path = link(one);
  assert.deepEqual(find(), { path, bytes: 500, digest });
  assert.equal(find(`hf:timm/tiny@${one}`)?.path, path);
  assert.equal(find(`hf:timm/tiny@${two}`), undefined);
  assert.equal(find('hf:timm/tiny@v2'), undefined);
  assert.equal(find('hf:timm/tiny:other'), undefined);
});

test('a branch is the commit that it was last', () => {
  link(one);
  const path = link(two);
  assert.equal(find()?.path, path);
  assert.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), two);
  link(one, 'refs/pr/1');
  assert.match(find('hf:timm/tiny@refs/pr/1')?.path ?? '', /1{40}/);
  assert.deepEqual(
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('without a ref the newest snapshot with the file serves as the default branch', () => {
  link(one);
  link(two);
  rmSync(join(folder, 'refs'), { recursive: true });
  utimesSync(join(folder, 'snapshots', one), new Date(2026, 5), new Date(2026, 5));
  utimesSync(join(folder, 'snapshots', two), new Date(2026, 4), new Date(2026, 4));
  assert.match(find()?.path ?? '', /1{40}/);
});

test('a link to nothing is nothing', () => {
  link(one);
  rmSync(blob);
  assert.equal(find(), undefined);
});

test('a copy in place of a link, as some file systems need, has the digest of the blob of its size', () => {
  const path = link(one);
  rmSync(path);
  copyFileSync(blob, path);
  assert.deepEqual(find(), { path, bytes: 500, digest });
  rmSync(blob);
  assert.deepEqual(find(), { path, bytes: 500, digest: undefined });
});

test('a blob that is itself a link into a shared store keeps its digest', () => {
  const path = link(one);
  const store = join(home, 'store');
  writeFileSync(store, weights);
  rmSync(blob);
  symlinkSync(store, blob);
  assert.deepEqual(find(), { path, bytes: 500, digest });
});

test('the environment is read as the Python library reads it', () => {
  assert.equal(hubCacheFolder({ HF_HUB_CACHE: '/a', HF_HOME: '/b' }), '/a');
  assert.equal(hubCacheFolder({ HUGGINGFACE_HUB_CACHE: '/a', HF_HOME: '/b' }), '/a');
  assert.equal(hubCacheFolder({ HF_HOME: '/b', XDG_CACHE_HOME: '/c' }), '/b/hub');
  assert.equal(hubCacheFolder({ HF_HOME: '~/b' }), join(homedir(), 'b/hub'));
  assert.equal(hubCacheFolder({ HF_HOME: '', XDG_CACHE_HOME: '/c' }), '/c/huggingface/hub');
  assert.equal(hubCacheFolder({}), join(homedir(), '.cache/huggingface/hub'));

  const read = (env: NodeJS.ProcessEnv) => readHubEnvironment({ HF_HOME: home, ...env });
  assert.match(read({}).endpoint, /^https:\/\/[^/]+$/);
  assert.equal(read({ HF_ENDPOINT: 'http://mirror/hf/' }).endpoint, 'http://mirror/hf');
  for (const yes of ['1', 'on', 'True', 'YES']) assert.equal(read({ HF_HUB_OFFLINE: yes }).isOffline, true);
  for (const no of ['', '0', 'false']) assert.equal(read({ HF_HUB_OFFLINE: no }).isOffline, false);
  assert.equal(read({ TRANSFORMERS_OFFLINE: '1' }).isOffline, false);

  assert.equal(read({}).token, undefined);
  writeFileSync(join(home, 'token'), 'hf_file\n');
  assert.equal(read({}).token, 'hf_file');
  assert.equal(read({ HF_TOKEN: ' hf_variable\n' }).token, 'hf_variable');
  writeFileSync(join(home, 'other'), 'hf_other');
  assert.equal(read({ HF_TOKEN_PATH: join(home, 'other') }).token, 'hf_other');
});

test('what can be no endpoint or token is refused, and no secret told', () => {
  const assertRefused = (env: NodeJS.ProcessEnv, message: RegExp) =>
    assert.throws(
      () => readHubEnvironment({ HF_HOME: home, ...env }),
      (error: Error) => error.name === 'UserError' && message.test(error.message) && !error.message.includes('secret'),
    );
  assertRefused({ HF_ENDPOINT: 'mirror' }, /HF_ENDPOINT: expected an http or https address.*found "mirror"/);
  assertRefused({ HF_ENDPOINT: 'ftp://mirror' }, /HF_ENDPOINT/);
  assertRefused({ HF_ENDPOINT: 'https://me:secret@mirror' }, /HF_ENDPOINT/);
  assertRefused({ HF_TOKEN: 'hf_secret two' }, /^The access token in HF_TOKEN holds characters/);
  writeFileSync(join(home, 'token'), 'hf_secrét');
  assertRefused({}, /^The access token in .*token holds characters/);
});
