import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { redact, rememberSecret, secretIn } from '#src/secrets.js';

const wandbKey = '0123456789abcdef0123456789abcdef01234567';
const hubToken = 'hf_NotARealTokenAtAll1234567890abcdef';
const env = {
  WB_KEY: wandbKey,
  HF_TOKEN: `  ${hubToken}\n`,
  HTTPS_PROXY: 'http://me:p%40ss%2Fword@proxy.example:3128',
  DATA_URL: 'https://you:sl/ash,pw@data.example/x',
  PATH: '/usr/bin:/bin',
};
const tests: [text: string, redacted: string][] = [
  [
    'nothing secret: 0123456, hf_short, a@b.c, /a/b:c@d, 12:30',
    'nothing secret: 0123456, hf_short, a@b.c, /a/b:c@d, 12:30',
  ],
  ['--augment=basic bearer of news, 100 images/s', '--augment=basic bearer of news, 100 images/s'],
  [`${wandbKey}${wandbKey}, ${hubToken}.`, '******, ***.'],
  [`host ${hubToken.toLowerCase()}.example`, 'host ***.example'],
  [
    `Unexpected token 'h', "${hubToken.slice(0, 10)}"... is not valid JSON`,
    `Unexpected token 'h', "***"... is not valid JSON`,
  ],
  ['password p@ss/word or p%40ss%2Fword', 'password *** or ***'],
  ['password sl/ash,pw', 'password ***'],
  [`Proxy-Authorization: Basic ${Buffer.from('me:p@ss/word').toString('base64')}`, 'Proxy-Authorization: Basic ***'],
  ['Invalid URL: http://other:word@host:80/path?x=1', 'Invalid URL: http://***@host:80/path?x=1'],
  ['http://only-a-name@host and socks5://a:b@c', 'http://***@host and socks5://***@c'],
  ["'/here/https:/a:b@host/x'", "'/here/https:/***@host/x'"],
  ['https://h/a?token=abc&y=2&X-Amz-Signature=0f#z', 'https://h/a?token=***&y=2&X-Amz-Signature=***'],
  ['a token of somebody else: hf_abcdefghijABCDEFGHIJ12', 'a token of somebody else: ***'],
  [inspect({ headers: { authorization: 'Bearer unknown-key' } }), "{ headers: { authorization: 'Bearer ***' } }"],
];
for (const [text, redacted] of tests) {
  test(`redacted: ${JSON.stringify(redacted)}`, () => assert.equal(redact(text, env), redacted));
}

test('all four variables count, those that are short or missing do not', () => {
  for (const name of ['WB_KEY', 'WANDB_API_KEY', 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    assert.equal(redact('say secret', { [name]: 'secret' }), 'say ***', name);
    for (const value of ['', ' ', 'say', '  say  ']) assert.equal(redact('say so', { [name]: value }), 'say so');
  }
});

test('a secret of odd characters is found plain, in JSON and in an address', () => {
  const odd = 'a"b\\c d$&[1]+.*(é';
  for (const text of [odd, JSON.stringify(odd).slice(1, -1), encodeURIComponent(odd)]) {
    assert.equal(redact(`<${text}>`, { WB_KEY: odd }), '<***>', text);
  }
});

test('a secret from a file counts once it is known', () => {
  const key = 'a1b2c3d4e5f6'.repeat(3);
  assert.equal(redact(key, {}), key);
  rememberSecret(` ${key}\n`);
  rememberSecret('');
  assert.equal(redact(`key ${key}, run`, {}), 'key ***, run');
});

test('the environment is that of the process unless told', () => {
  process.env['WB_KEY'] = wandbKey;
  assert.equal(redact(wandbKey), '***');
  delete process.env['WB_KEY'];
  assert.equal(redact(wandbKey), wandbKey);
});

test('long texts without secrets, made to mislead, are read in a moment', () => {
  for (const text of [
    'a-',
    '?a.',
    'http://',
    '?token',
    'authorization: ',
    'hf_',
    'http:',
    '://@',
    wandbKey.slice(0, 7),
  ]) {
    redact(text.repeat(100_000), env);
  }
});

test('a text tells which key it holds', () => {
  assert.equal(secretIn(`a-${wandbKey}`, env), 'WB_KEY');
  assert.equal(secretIn(`a-${hubToken}`, env), 'HF_TOKEN');
  assert.equal(secretIn('a-run', env), undefined);
  assert.equal(secretIn('online', { WB_KEY: 'online' }), undefined, 'a placeholder');
});
