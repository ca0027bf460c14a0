import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { checkWandb, runAddress, wandbRunId } from '#src/reporting/wandb-settings.js';
import { redact } from '#src/secrets.js';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'deep-cnn-home-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const check = (env: NodeJS.ProcessEnv = {}) => checkWandb({ HOME: home, ...env });
const refuses = (env: NodeJS.ProcessEnv, message: RegExp) =>
  assert.throws(() => check(env), { name: 'UserError', message });

test('the tutorial’s variables come before W&B’s own, and empty ones count for nothing', () => {
  const own = { WANDB_API_KEY: 'theirs', WANDB_PROJECT: 'b', WANDB_ENTITY: 'c' };
  const tutorial = { WB_KEY: 'ours', WB_PROJECT: 'x', WB_USER: 'y' };
  const { key, project, entity } = check({ ...own, ...tutorial });
  assert.deepEqual([key, project, entity], ['ours', 'x', 'y']);
  const fallback = check({ ...own, WB_KEY: '', WB_PROJECT: ' ', WB_USER: '' });
  assert.deepEqual([fallback.key, fallback.project, fallback.entity], ['theirs', 'b', 'c']);
  assert.equal(check(own).baseUrl, 'https://api.wandb.ai');
  assert.equal(check({ ...own, WANDB_BASE_URL: 'https://wandb.example.org/' }).baseUrl, 'https://wandb.example.org');
  assert.deepEqual(check({ ...own, WANDB_TAGS: 'a, b,,' }).tags, ['a', 'b']);
});

test('without a key it says so, unless none is needed', () => {
  refuses({}, /^--wandb=True needs an API key of Weights & Biases: found none\. Set WB_KEY /);
  refuses({ WB_KEY: '' }, /needs an API key/);
  refuses({ WB_KEY: 'two words' }, /^The API key .* has a character that no key has\./);
  assert.equal(check({ WANDB_MODE: 'offline' }).mode, 'offline');
  assert.equal(check({ WANDB_MODE: 'dryrun' }).mode, 'offline');
  assert.equal(check({ WANDB_MODE: 'disabled' }).mode, 'disabled');
});

test('the key may be in ~/.netrc, for the server that is used', () => {
  const netrc = [
    '# machine api.wandb.ai password commented',
    'machine example.org login me password wrong',
    'machine api.wandb.ai',
    '  login user',
    '  password from#netrc',
    'machine last.org login me',
  ];
  writeFileSync(join(home, '.netrc'), netrc.join('\n'));
  assert.equal(check().key, 'from#netrc');
  assert.equal(redact('it answers 401 (from#netrc is no key)'), 'it answers 401 (*** is no key)');
  assert.equal(check({ WANDB_API_KEY: 'first' }).key, 'first');
  assert.equal(check({ WANDB_BASE_URL: 'http://example.org:8080' }).key, 'wrong');
  refuses({ WANDB_BASE_URL: 'https://last.org' }, /needs an API key/);
});

test('values that can’t be right are mistakes', () => {
  const key = { WB_KEY: 'k' };
  refuses({ ...key, WANDB_MODE: 'onlin' }, /^Bad value for WANDB_MODE: .*found 'onlin'/);
  refuses({ ...key, WANDB_MODE: 'constructor' }, /^Bad value for WANDB_MODE/);
  refuses({ ...key, WANDB_BASE_URL: 'wandb.ai' }, /^Bad value for WANDB_BASE_URL/);
  refuses({ ...key, WANDB_BASE_URL: 'ftp://wandb.ai' }, /^Bad value for WANDB_BASE_URL/);
  refuses({ ...key, WB_PROJECT: 'a/b' }, /^Bad name for a project/);
  refuses({ ...key, WB_PROJECT: 'a'.repeat(129) }, /^Bad name for a project/);
});

test('a run’s id is its name, or one that W&B takes and that no other name has', () => {
  assert.equal(wandbRunId('resnet-18_lr.1'), 'resnet-18_lr.1');
  assert.equal(wandbRunId('a'.repeat(64)), 'a'.repeat(64));
  const ids = ['a b', 'a?b', 'a%b', 'ä', 'ö', 'a'.repeat(65), 'a'.repeat(66)].map(wandbRunId);
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_.-]{1,64}$/);
  assert.equal(new Set(ids).size, ids.length);
  assert.match(wandbRunId('a b'), /^a-b-[0-9a-f]{8}$/);
});

test('a run’s address is the site’s, not its API’s', () => {
  const run = { entity: 'me', project: 'my streets', id: 'mine' };
  assert.equal(runAddress('https://api.wandb.ai', run), 'https://wandb.ai/me/my%20streets/runs/mine');
  assert.equal(runAddress('https://wandb.example.org', run), 'https://wandb.example.org/me/my%20streets/runs/mine');
});
