// Reads files with broken headers, again and again. A reading must end soon, within bounds of memory, and either in a
// UserError or in weights that are sound.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MersenneTwister } from '#src/data/random.js';
import { UserError } from '#src/errors.js';
import { readWeightsFile, type WeightsFile } from '#src/weights/weights-file.js';
import { readCorpus, type Sample } from './corpus.js';
import { Dice, mutations } from './mutations.js';

export interface FuzzReport {
  refused: number;
  /** Files whose change did no harm, or hit what does not matter. */
  read: number;
  /** What went wrong, with the file's number for `--only`. */
  failures: string[];
  /** Of the processor's time. */
  slowestMs: number;
  /** By how much the process's resident memory ever exceeded that at the start. */
  grownBytes: number;
  /** How often each complaint was made, without numbers and shortened. */
  complaints: ReadonlyMap<string, number>;
}

/** What a reading of a file of a few kilobytes may take of the processor, lest a busy machine look like a hang. */
const limitMs = 1000;

/** Each file depends on the seed and its number alone. */
export async function fuzz({ seed, count, only }: { seed: number; count: number; only?: number }): Promise<FuzzReport> {
  const corpus = await readCorpus();
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-'));
  const path = join(folder, 'mutated.pt');
  const complaints = new Map<string, number>();
  const report = { refused: 0, read: 0, failures: [] as string[], slowestMs: 0, grownBytes: 0, complaints };
  const startBytes = process.memoryUsage.rss();
  try {
    for (let index = only ?? 0; index < (only === undefined ? count : only + 1); index++) {
      const { name, bytes } = mutate(corpus, new Dice(new MersenneTwister(seed + index)));
      const fail = (what: string) => report.failures.push(`${index} (${name}): ${what}`);
      await writeFile(path, bytes);
      const started = process.cpuUsage();
      try {
        const problem = unsoundness(await readWeightsFile(path), bytes.length);
        if (problem) fail(problem);
        else report.read += 1;
      } catch (error) {
        if (error instanceof UserError) report.refused += 1;
        else fail(error instanceof Error ? `${error.stack}` : String(error));
        const kind = kindOf(error);
        complaints.set(kind, (complaints.get(kind) ?? 0) + 1);
      }
      const { user, system } = process.cpuUsage(started);
      const elapsedMs = (user + system) / 1000;
      if (elapsedMs > limitMs) fail(`took ${elapsedMs.toFixed(0)} ms`);
      report.slowestMs = Math.max(report.slowestMs, elapsedMs);
      report.grownBytes = Math.max(report.grownBytes, process.memoryUsage.rss() - startBytes);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return report;
}

function mutate(corpus: readonly (readonly Sample[])[], random: Dice): { name: string; bytes: Buffer } {
  const sample = random.pick(random.pick(corpus));
  const other = random.pick(random.pick(corpus));
  // One in four is changed as a whole, so that tables of contents and storages are hit too.
  const isWhole = random.below(4) === 0;
  let bytes = isWhole ? sample.whole : sample.header;
  const names: string[] = [];
  for (let left = random.pick([1, 1, 1, 2, 3]); left > 0; left--) {
    const mutation = random.pick(mutations);
    bytes = mutation(bytes, random, isWhole ? other.whole : other.header);
    names.push(mutation.name);
  }
  return { name: `${sample.name}: ${names.join(', ')}`, bytes: isWhole ? bytes : sample.withHeader(bytes) };
}

/** What is wrong with weights that were read, if anything. */
function unsoundness({ weights, metadata }: WeightsFile, fileBytes: number): string | undefined {
  let elements = 0;
  for (const [name, { shape, data }] of weights) {
    if (typeof name !== 'string') return 'a name that is no text';
    if (!(data instanceof Float32Array)) return `${name} is no Float32Array`;
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) return `${name} has the shape ${shape}`;
    if (shape.reduce((product, size) => product * size, 1) !== data.length) return `${name} has ${data.length} values`;
    elements += data.length;
  }
  if (elements > Math.max(fileBytes, 2 ** 20)) return `${elements} values from ${fileBytes} bytes`;
  if (Object.values(metadata).some((value) => typeof value !== 'string')) return 'metadata that is no text';
  return 'polluted' in {} ? 'a polluted prototype' : undefined;
}

function kindOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const complaint = message.split('found ').at(-1) ?? '';
  return complaint.replace(/\d+|\ufffd/g, '#').slice(0, 40);
}
