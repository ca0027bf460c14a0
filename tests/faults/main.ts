// npm run test:faults -- [--seed=N] [--jobs=N] [--only=NAME,...] [--count=N]: the whole fault-injection suite. It runs the
// real program in processes of its own, does to them what happens to runs, and compares what they leave with an
// uninterrupted run. --count takes fewer cases of each kind; --soak watches the memory of a long run instead.

import { parseArgs } from 'node:util';
import { runSuite, scenarioNames } from './scenarios.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    only: { type: 'string' },
    count: { type: 'string' },
    soak: { type: 'boolean', default: false },
  },
});
const only = values.soak ? ['soak'] : values.only?.split(',');
const unknown = only?.find((name) => !scenarioNames.includes(name));
if (unknown !== undefined) throw new Error(`No scenario ${unknown}: there are ${scenarioNames.join(', ')}`);
const { passed, failed, skipped } = await runSuite({
  seed: Number(values.seed),
  jobs: Number(values.jobs),
  only,
  count: values.count === undefined ? undefined : Number(values.count),
  print: (line) => console.log(line),
});
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
