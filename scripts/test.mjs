#!/usr/bin/env node
// Runs the compiled tests, each file in a process of its own, and closes with `N passed, N failed`. Arguments choose
// files by path or by a part of it. Node's run() and not its --test flag, which finds files differently in 20 and 22.

import { existsSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = findFiles(process.argv.slice(2));
const count = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const complaints = [];

/** For one file: the longest takes two minutes, on a busy machine ten. It ends what would hang. */
const limitMs = 45 * 60_000;

const events = run({ files, concurrency: 2, timeout: limitMs });
events.on('test:pass', ({ name, details, skip, todo }) => {
  if (details.type === 'suite') return;
  if (isMarked(skip) || isMarked(todo)) count.skipped += 1;
  // A file that declares no test is reported as one passed test of its own name, as is one that exits early.
  else if (files.includes(resolve(name))) fail(`${relative(root, name)} ran no test`);
  else count.passed += 1;
});
events.on('test:fail', ({ details, todo }) => {
  if (isMarked(todo)) count.skipped += 1;
  // A suite's own failure (a hook's, say) counts; its tests have counted themselves.
  else if (details.type !== 'suite' || failureType(details.error) !== 'subtestsFailed') count.failed += 1;
});
for await (const text of events.compose(new spec())) process.stdout.write(text);

if (count.passed + count.failed + count.skipped === 0) fail('no test was found');
for (const complaint of complaints) console.log(`✖ ${complaint}`);
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
process.exitCode = count.failed > 0 ? 1 : 0;

/** @param {string} complaint */
function fail(complaint) {
  complaints.push(complaint);
  count.failed += 1;
}

/**
 * The compiled test files, or those that the arguments mean: the path of a source or compiled file, or a part of one.
 *
 * @param {string[]} wanted
 */
function findFiles(wanted) {
  const folder = join(root, 'build/tests');
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  const all = names.filter((name) => name.endsWith('.test.js')).sort();
  const isWanted = (/** @type {string} */ name) =>
    wanted.some((part) => {
      const compiled = part.replace(/\.ts$/, '.js');
      return join('tests', name).includes(compiled) || resolve(compiled).endsWith(join('/', 'tests', name));
    });
  return (wanted.length === 0 ? all : all.filter(isWanted)).map((name) => join(folder, name));
}

/** @param {string | boolean | undefined} mark A reason, which may be empty. */
function isMarked(mark) {
  return mark !== undefined && mark !== false;
}

/** @param {unknown} error */
function failureType(error) {
  return error instanceof Error && 'failureType' in error ? error.failureType : undefined;
}
