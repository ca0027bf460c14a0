import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { CheckpointFolder, checkpointFolder } from '#src/training/checkpoint/folder.js';
import { temporaryFolder } from '../../data/temporary-folder.js';

const holding = (text: string) => (path: string) => writeFile(path, text);

/** Each file of a folder with its content. */
function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

describe('a folder of checkpoints', () => {
  it("is named after the run, in the root's outputs", () => {
    assert.equal(checkpointFolder({ root_dir: '/r', run_name: 'x y' }), '/r/outputs/checkpoints/x y');
  });

  it('keeps as many as it is told', async (t) => {
    const folder = new CheckpointFolder(join(temporaryFolder(t), 'run'), 3);
    for (const text of ['1', '2', '3', '4', '5']) await folder.save(holding(text));
    assert.deepEqual(contents(folder.path), {
      'last-1.safetensors': '4',
      'last-2.safetensors': '3',
      'last.safetensors': '5',
    });
    assert.deepEqual(
      (await folder.newestFirst()).map((path) => basename(path)),
      ['last.safetensors', 'last-1.safetensors', 'last-2.safetensors'],
    );
  });

  it('keeps the last alone where that is wanted', async (t) => {
    const folder = new CheckpointFolder(join(temporaryFolder(t), 'run'), 1);
    for (const text of ['1', '2']) await folder.save(holding(text));
    assert.deepEqual(contents(folder.path), { 'last.safetensors': '2' });
  });

  it('is unchanged by a save that fails', async (t) => {
    const folder = new CheckpointFolder(join(temporaryFolder(t), 'run'), 2);
    for (const text of ['1', '2']) await folder.save(holding(text));
    const before = contents(folder.path);
    const failing = async (path: string) => {
      await writeFile(path, 'half');
      throw new Error('full');
    };
    await assert.rejects(folder.save(failing), /full/);
    assert.deepEqual(contents(folder.path), before);
  });

  it('keeps the best one beside the last, without a copy', async (t) => {
    const folder = new CheckpointFolder(join(temporaryFolder(t), 'run'), 1);
    await folder.save(holding('1'));
    await folder.markBest();
    assert.equal(statSync(folder.best).ino, statSync(folder.last).ino);
    await folder.markBest();
    await folder.save(holding('2'));
    assert.deepEqual(contents(folder.path), { 'best.safetensors': '1', 'last.safetensors': '2' });
  });

  it('leaves nothing of a finished run to the one that takes over', async (t) => {
    const path = join(temporaryFolder(t), 'run');
    const old = new CheckpointFolder(path, 3);
    for (const text of ['1', '2', '3']) await old.save(holding(text));
    await old.markBest();
    await new CheckpointFolder(path, 3).save(holding('new'), { isUnfinished: false });
    assert.deepEqual(contents(path), { 'last.safetensors': 'new' });
  });

  it("puts an unfinished run's last one aside", async (t) => {
    const path = join(temporaryFolder(t), 'run');
    for (const text of ['1', '2']) await new CheckpointFolder(path, 2).save(holding(text));
    await new CheckpointFolder(path, 2).save(holding('new'), { isUnfinished: true });
    assert.deepEqual(contents(path), { 'last.safetensors': 'new', 'unfinished.safetensors': '2' });
  });

  it('makes room by giving up all but the last and the best', async (t) => {
    const folder = new CheckpointFolder(join(temporaryFolder(t), 'run'), 3);
    for (const text of ['1', '2', '3']) await folder.save(holding(text));
    assert.equal(await folder.makeRoom(), true);
    assert.deepEqual(contents(folder.path), { 'last.safetensors': '3' });
    assert.equal(await folder.makeRoom(), false);
  });

  it('takes a damaged file out of the row', async (t) => {
    const folder = new CheckpointFolder(join(temporaryFolder(t), 'run'), 2);
    for (const text of ['1', '2']) await folder.save(holding(text));
    await folder.putAsideDamaged(folder.last);
    await folder.save(holding('3'));
    assert.deepEqual(await folder.newestFirst().then((paths) => paths.map((path) => readFileSync(path, 'utf8'))), [
      '3',
      '1',
    ]);
    assert.ok(existsSync(join(folder.path, 'damaged.safetensors')));
  });

  it('removes what a killed save left behind', async (t) => {
    const folder = new CheckpointFolder(join(temporaryFolder(t), 'run'), 2);
    await folder.save(holding('1'));
    await writeFile(join(folder.path, '.next.safetensors'), 'whole, but not yet the last');
    await folder.tidy();
    assert.deepEqual(contents(folder.path), { 'last.safetensors': '1' });
  });

  it('is empty where there is none', async (t) => {
    assert.deepEqual(await new CheckpointFolder(join(temporaryFolder(t), 'none'), 2).newestFirst(), []);
  });
});
