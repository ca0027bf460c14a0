// npm run test:fuzz -- [COUNT] [SEED]: the long form of fuzz.test.ts. With a third number, that file alone.

import { fuzz } from './fuzz.js';

const [count = 10_000, seed = 1, only] = process.argv.slice(2).map(Number);
const started = performance.now();
const report = await fuzz({ count, seed, ...(only === undefined ? {} : { only }) });
const sorted = [...report.complaints].sort(([, a], [, b]) => b - a);
for (const [complaint, times] of sorted.slice(0, 40)) console.log(`${String(times).padStart(6)} ${complaint}`);
for (const failure of report.failures) console.log(`✖ ${failure}`);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `${report.refused} refused, ${report.read} read, ${report.failures.length} failed; slowest ` +
    `${report.slowestMs.toFixed(0)} ms, memory grew by ${(report.grownBytes / 2 ** 20).toFixed(0)} MiB; ${seconds} s`,
);
process.exitCode = report.failures.length > 0 ? 1 : 0;
