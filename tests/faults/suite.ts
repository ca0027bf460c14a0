// Runs cases side by side, each in a folder of its own, and tells what became of them.

import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { makeRoot, removeRoot } from '../training/small-run.js';
import type { Reference } from './moments.js';
import { command, type Place, type Recipe, requireEqual, requireTidy, resultOf } from './place.js';
import { type Ending, endingText, run, start } from './program.js';
import { stopInSecondEpoch } from './unfinished.js';

export interface Case {
  name: string;
  /** Returns what it saw, in a few words. Throws where something is wrong. */
  run: (place: Place) => Promise<string>;
}

/** Thrown where a case can't be tried here. */
export class Skipped extends Error {}

export interface SuiteSettings {
  seed: number;
  /** Cases at a time. */
  jobs: number;
  print: (line: string) => void;
}

export class Suite {
  readonly seed: number;
  readonly print: (line: string) => void;
  passed = 0;
  failed = 0;
  skipped = 0;
  readonly #jobs: number;
  readonly #folder: string;
  readonly #dataDir: string;
  #unfinished: Promise<Place> | undefined;
  readonly #references = new Map<string, Promise<Reference>>();

  private constructor({ seed, jobs, print }: SuiteSettings, folder: string, dataDir: string) {
    this.seed = seed;
    this.print = print;
    this.#jobs = jobs;
    this.#folder = folder;
    this.#dataDir = dataDir;
  }

  /** Makes the data, 24 images for training and 6 for the test, in a new folder. */
  static async open(settings: SuiteSettings): Promise<Suite> {
    const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-faults-'));
    const made = await makeRoot({ trainImages: 8, testImages: 2 });
    await rename(join(made, 'data'), join(folder, 'data'));
    await removeRoot(made);
    return new Suite(settings, folder, join(folder, 'data'));
  }

  /** Removes everything but the folders of failed cases. */
  async close(): Promise<void> {
    if (this.failed === 0) await rm(this.#folder, { recursive: true, force: true });
  }

  /** What an uninterrupted run ends with; run once. */
  reference(recipe: Recipe): Promise<Reference> {
    const found = this.#references.get(recipe.name) ?? this.#makeReference(recipe);
    this.#references.set(recipe.name, found);
    return found;
  }

  async #makeReference(recipe: Recipe): Promise<Reference> {
    const place = await this.#makePlace(`reference-${recipe.name}`);
    const running = start(command(place, recipe));
    await running.printed('Model loaded');
    const setUpMs = running.elapsedMs();
    const ending = await running.ended;
    requireCode(ending, 0);
    requireTidy(place);
    const result = await resultOf(place, recipe);
    const seconds = (ending.elapsedMs / 1000).toFixed(1);
    this.print(`  the uninterrupted ${recipe.name} run took ${seconds} s`);
    return { result, elapsedMs: ending.elapsedMs, setUpMs };
  }

  async #makePlace(name: string): Promise<Place> {
    const root = join(this.#folder, name);
    await mkdir(root, { recursive: true });
    return { root, dataDir: this.#dataDir };
  }

  /** Runs the cases, some at a time. */
  async runAll(title: string, cases: readonly Case[], { jobs = this.#jobs } = {}): Promise<void> {
    const startedMs = performance.now();
    const before = this.failed;
    this.print(`${title}: ${cases.length} cases`);
    const waiting = cases.map((entry, index) => ({
      ...entry,
      folder: `${title.replaceAll(/\W+/g, '-')}-${index + 1}`,
    }));
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await this.#runOne(next);
    };
    await Promise.all(Array.from({ length: jobs }, work));
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
    this.print(`${title}: ${this.failed - before} of ${cases.length} failed, ${seconds} s`);
  }

  async #runOne({ name, run, folder }: Case & { folder: string }): Promise<void> {
    const place = await this.#makePlace(folder);
    try {
      const saw = await run(place);
      this.passed += 1;
      this.print(`✔ ${name}: ${saw}`);
    } catch (error) {
      if (error instanceof Skipped) {
        this.skipped += 1;
        this.print(`- ${name}: skipped, ${error.message}`);
      } else {
        this.failed += 1;
        this.print(`✖ ${name}: ${error instanceof Error ? error.message : inspect(error)}`);
        this.print(`  its folder is kept: ${place.root}`);
        return;
      }
    }
    await rm(place.root, { recursive: true, force: true });
  }

  /** Makes `place` that of a run which was killed in its second epoch. */
  async stopInSecondEpoch(place: Place, recipe: Recipe): Promise<void> {
    this.#unfinished ??= this.#makePlace('unfinished').then(async (made) => {
      await stopInSecondEpoch(made, recipe);
      return made;
    });
    const { root } = await this.#unfinished;
    await cp(root, place.root, { recursive: true });
  }

  /** Resumes a run until its end, which must equal the uninterrupted one's; returns where it went on. */
  async resumeToEnd(place: Place, recipe: Recipe): Promise<string> {
    const { result } = await this.reference(recipe);
    const ending = await run(command(place, recipe));
    requireCode(ending, 0);
    await requireEqual(place, recipe, result);
    requireTidy(place);
    return `${goneOn(ending)}, equal`;
  }
}

/** Where a run went on, by its own words. */
export function goneOn({ output }: Pick<Ending, 'output'>): string {
  const [, step] = /Resumed from .* after step (\d+)/.exec(output) ?? [];
  return step === undefined ? 'begun anew' : `resumed at step ${step}`;
}

/** Throws, with all that was printed, where a process ended otherwise. */
export function requireCode(ending: Ending, ...codes: readonly number[]): void {
  if (ending.code !== null && codes.includes(ending.code)) return;
  throw new Error(`expected exit code ${codes.join(' or ')}, found ${endingText(ending)}:\n${ending.output}`);
}

/** Throws where a stack was printed, or the error is not in one line. */
export function requireOneLine({ output }: Ending): string {
  const lines = output.split('\n').filter((line) => line.startsWith('deep-cnn: '));
  const [line] = lines;
  if (line === undefined || lines.length > 1 || hasStack(output)) {
    throw new Error(`expected one line of error, found:\n${output}`);
  }
  return line;
}

export const hasStack = (output: string) => /^\s+at .+:\d+:\d+\)?$|internal:|UnhandledPromise/m.test(output);
