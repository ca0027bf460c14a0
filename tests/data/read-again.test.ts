import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAgain } from '#src/data/read-again.js';
import { UnreadableImageError } from '#src/data/unreadable-image.js';
import { UserError } from '#src/errors.js';

/** A read that fails with the given codes, one attempt after the other, and then succeeds. */
function failing(codes: readonly string[]) {
  const tally = { attempts: 0, tooMany: 0, pausesMs: [] as number[] };
  const read = async () => {
    const code = codes[tally.attempts++];
    if (code === undefined) return 'content';
    const cause = Object.assign(new Error(`${code}: a failure`), { code });
    throw new UnreadableImageError('x.png', code, { cause });
  };
  const options = {
    onTooManyOpen: () => {
      tally.tooMany += 1;
    },
    isGivenUp: () => false,
    pause: async (ms: number) => {
      tally.pausesMs.push(ms);
    },
  };
  return { tally, read, options };
}

const rows: readonly { codes: string[]; fails?: string; attempts: number }[] = [
  { codes: [], attempts: 1 },
  { codes: ['EIO'], attempts: 2 },
  { codes: ['ESTALE', 'ETIMEDOUT', 'EIO'], attempts: 4 },
  { codes: ['EIO', 'EIO', 'EIO', 'EIO'], fails: 'EIO', attempts: 4 },
  { codes: ['EIO', 'ENOENT'], fails: 'ENOENT', attempts: 2 },
  { codes: ['ENOENT'], fails: 'ENOENT', attempts: 1 },
  { codes: ['EACCES'], fails: 'EACCES', attempts: 1 },
  { codes: Array.from({ length: 30 }, () => 'EMFILE'), attempts: 31 },
  { codes: [...Array.from({ length: 20 }, () => 'ENFILE'), 'EIO'], attempts: 22 },
];

for (const { codes, fails, attempts } of rows) {
  const told = codes.length > 4 ? `${codes.length} failures, the last ${codes.at(-1)}` : codes.join(', ') || 'nothing';
  test(`after ${told} it ${fails ? `fails with ${fails}` : 'succeeds'}`, async () => {
    const { tally, read, options } = failing(codes);
    const result = readAgain(read, options);
    if (fails === undefined) assert.equal(await result, 'content');
    else await assert.rejects(result, { name: 'UserError', reason: fails });
    assert.equal(tally.attempts, attempts);
    assert.equal(tally.pausesMs.length, attempts - 1);
    assert.ok(tally.pausesMs.every((ms) => ms >= 10 && ms <= 1000));
    assert.equal(tally.tooMany, codes.filter((code) => /MFILE|NFILE/.test(code)).length);
  });
}

test('after a minute without an open file it says how to mend that', async () => {
  const { tally, read, options } = failing(Array.from({ length: 10_000 }, () => 'EMFILE'));
  await assert.rejects(readAgain(read, options), (error) => {
    assert.ok(error instanceof UserError && !(error instanceof UnreadableImageError));
    assert.match(error.message, /too many open files for 60 seconds\. Allow more with `ulimit -n 4096`/);
    return true;
  });
  const waitedMs = tally.pausesMs.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waitedMs >= 60_000 && waitedMs < 61_000, `${waitedMs} ms`);
});

test('what nobody wants any more is not tried again', async () => {
  const { tally, read, options } = failing(['EMFILE', 'EMFILE']);
  await assert.rejects(readAgain(read, { ...options, isGivenUp: () => true }));
  assert.equal(tally.attempts, 1);
});
