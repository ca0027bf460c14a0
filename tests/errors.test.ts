import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oneLine, UserError } from '#src/errors.js';

test('a message is one line in which nothing acts on a terminal', () => {
  assert.equal(oneLine('plain, é, 第一次, a "quote" and a \\ stay'), 'plain, é, 第一次, a "quote" and a \\ stay');
  for (const end of ['\n', '\r', '\r\n', ' \n\n  ', '\u0085', '\u2028', '\u2029']) {
    assert.equal(oneLine(`one${end}two`), 'one two', JSON.stringify(end));
  }
  assert.equal(oneLine('\x1b[2Jred\x07\x00\x7f\x9b\t'), '\\x1b[2Jred\\x07\\x00\\x7f\\x9b\\x09');
  assert.equal(new UserError('Bad\nname', { found: '\x1b[31m' }).message, 'Bad name: found \\x1b[31m.');
});

test('a message holds no secrets', () => {
  const address = 'http://me:word@host/';
  assert.equal(new UserError('Bad', { found: address }).message, 'Bad: found http://***@host/.');
});

test('the parts of a message are joined, and those that are missing left out', () => {
  assert.equal(new UserError('What').message, 'What.');
  assert.equal(
    new UserError('What', { expected: 'a', found: 'b', mend: 'Do' }).message,
    'What: expected a, found b. Do.',
  );
  assert.deepEqual(new UserError('What', { found: 'b' }).parts, { what: 'What', found: 'b' });
});
