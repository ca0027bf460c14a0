import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { createAppendFile } from '#src/reporting/append-file.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-append-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('pieces are in the file at once, in a folder that comes with the first', () => {
  const path = join(folder, 'a/b.jsonl');
  const file = createAppendFile({ path, onFailure: (error) => assert.fail(String(error)) });
  file.append(Buffer.from('one\n'));
  assert.equal(readFileSync(path, 'utf8'), 'one\n');
  file.append(Buffer.from('two\n'), { flush: true });
  file.close();
  assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
});

test('where a file can grow no more, no piece is written in part, and the failure is told once', () => {
  const path = join(folder, 'full.jsonl');
  const program = `
    import { createAppendFile } from ${JSON.stringify(import.meta.resolve('#src/reporting/append-file.js'))};
    const failures = [];
    const file = createAppendFile({ path: ${JSON.stringify(path)}, onFailure: (error) => failures.push(error.code) });
    for (let line = 0; line < 20; line++) file.append(Buffer.from(String(line).padStart(99) + '\\n'), { flush: true });
    file.close();
    console.log(failures.join());`;
  // Files of this process end at 1 kB, which a full disk is like: writes are cut short and then refused.
  const command = `trap '' XFSZ; ulimit -f 1; exec "$0" --input-type=module -e "$1"`;
  const ran = spawnSync('bash', ['-c', command, process.execPath, program], { encoding: 'utf8' });
  assert.equal(ran.stdout.trim(), 'EFBIG', ran.stderr);
  const lines = readFileSync(path, 'utf8').split('\n');
  assert.deepEqual(
    lines.map((line) => line.trim()),
    [...Array.from({ length: 10 }, (_, line) => String(line)), ''],
  );
});
