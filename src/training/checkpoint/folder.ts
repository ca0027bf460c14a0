// The checkpoints of one run name: `last.safetensors`, the ones before it as `last-1`, `last-2` and so on, and `best`.
// At every moment, also in the middle of a save, `last` is whole, or else the one before it is.

import { createReadStream } from 'node:fs';
import { access, link, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { removeLeftovers, syncFolder, temporaryPath, writeAll, writeAtomically } from '../../atomic-file.js';

const ending = '.safetensors';

/** `outputs/checkpoints/<run_name>`. */
export function checkpointFolder(config: { root_dir: string; run_name: string }): string {
  return join(config.root_dir, 'outputs', 'checkpoints', config.run_name);
}

export class CheckpointFolder {
  readonly path: string;
  /** Checkpoints to keep, `last` included; at least 1. */
  readonly #keep: number;

  constructor(path: string, keep: number) {
    this.path = path;
    this.#keep = keep;
  }

  get last(): string {
    return join(this.path, `last${ending}`);
  }

  /** The next `last`, until the one before it is out of the way. */
  get #next(): string {
    return join(this.path, `.next${ending}`);
  }

  get best(): string {
    return join(this.path, `best${ending}`);
  }

  /** Where an unfinished run was put when a new one of its name took its place. */
  get unfinished(): string {
    return join(this.path, `unfinished${ending}`);
  }

  /**
   * `write` makes a whole file at the path that it is given; that file becomes `last`. Nothing changes if it fails.
   * `takesOver`: what is there is another run's and goes, but for its `last` if that run is unfinished.
   */
  async save(write: (path: string) => Promise<void>, takesOver?: { isUnfinished: boolean }): Promise<void> {
    const next = this.#next;
    await mkdir(this.path, { recursive: true });
    try {
      await write(next);
      if (takesOver?.isUnfinished) await linkOver(this.last, this.unfinished);
      if (!takesOver) await this.#rotate();
      await rename(next, this.last);
      await syncFolder(this.path);
    } catch (error) {
      await rm(next, { force: true });
      throw error;
    }
    await this.#prune(takesOver ? 1 : this.#keep);
    if (takesOver) await rm(this.best, { force: true });
  }

  /** Removes what saves left behind that were killed. */
  async tidy(): Promise<void> {
    await removeLeftovers(this.path);
    await rm(this.#next, { force: true });
  }

  /** Makes room for a save that found none: only `last` and `best` stay. Returns whether there was anything to remove. */
  async makeRoom(): Promise<boolean> {
    return this.#prune(1);
  }

  /** `best` becomes what `last` is now. */
  async markBest(): Promise<void> {
    await linkOver(this.last, this.best);
  }

  /** Takes a file that is not whole out of the row, so that it is never counted as the one before `last`. */
  async putAsideDamaged(path: string): Promise<void> {
    await rename(path, join(this.path, `damaged${ending}`));
  }

  /** `last` and those before it that exist, the newest first. */
  async newestFirst(): Promise<string[]> {
    const found = await this.#kept();
    return found.map(({ path }) => path);
  }

  /** Moves `last` to `last-1` and so on. `last` itself stays until its successor replaces it. */
  async #rotate(): Promise<void> {
    if (this.#keep === 1 || !(await exists(this.last))) return;
    for (const { path, age } of (await this.#kept()).reverse()) {
      if (age > 0) await rename(path, this.#aged(age + 1));
    }
    await linkOver(this.last, this.#aged(1));
  }

  async #prune(keep: number): Promise<boolean> {
    const old = (await this.#kept()).filter(({ age }) => age >= keep);
    for (const { path } of old) await rm(path, { force: true });
    return old.length > 0;
  }

  async #kept(): Promise<{ path: string; age: number }[]> {
    const names = await readdir(this.path).catch(() => []);
    return names
      .flatMap((name) => {
        const age = /^last(?:-([1-9]\d*))?\.safetensors$/.exec(name);
        return age ? [{ path: join(this.path, name), age: Number(age[1] ?? 0) }] : [];
      })
      .sort((a, b) => a.age - b.age);
  }

  #aged(age: number): string {
    return join(this.path, `last-${age}${ending}`);
  }
}

/** `to` becomes another name of the file `from`; a copy where the file system knows no second names. */
export async function linkOver(from: string, to: string): Promise<void> {
  const temporary = temporaryPath(to);
  await rm(temporary, { force: true });
  try {
    await link(from, temporary);
  } catch {
    await writeAtomically(to, async (file) => {
      for await (const chunk of createReadStream(from)) await writeAll(file, chunk);
    });
    return;
  }
  await rename(temporary, to);
  // Renaming one name of a file to another of its names leaves both.
  await rm(temporary, { force: true });
  await syncFolder(dirname(to));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
