// `npm run test:serve`: 32 clients for a minute. Prints what came of it, and fails where something was answered wrongly or
// memory grows.

import { runLoad } from './load.js';
import { loadCase } from './load-case.js';

const seconds = Number(process.argv[2] ?? 60);
const { plan, remove } = await loadCase();
try {
  const report = await runLoad({ ...plan, clients: 32, seconds });
  console.log(JSON.stringify(report, undefined, 2));
  const { mistakes, memory, exitCode, errors } = report;
  const most = (from: number, to: number) => Math.max(...memory.slice(from * memory.length, to * memory.length));
  const growth = most(0.75, 1) / most(0.25, 0.5) - 1;
  console.log(`Memory in the last quarter against the second one: ${(growth * 100).toFixed(1)} %`);
  const isGood = mistakes.length === 0 && exitCode === 0 && errors === '' && (seconds < 30 || growth < 0.1);
  console.log(isGood ? 'Everything was answered as it should be.' : 'Something went wrong.');
  process.exitCode = isGood ? 0 : 1;
} finally {
  remove();
}
