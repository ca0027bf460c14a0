import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { imagePaths, requireImagePaths } from '#src/inference/image-paths.js';

describe('paths of images', () => {
  let root = '';
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'deep-cnn-paths-'));
    mkdirSync(join(root, 'a', 'b'), { recursive: true });
    for (const name of ['z.jpg', 'a/2.PNG', 'a/10.png', 'a/notes.txt', 'a/b/1.heic'])
      writeFileSync(join(root, name), '');
    symlinkSync('..', join(root, 'a', 'b', 'back'));
    symlinkSync('nowhere', join(root, 'a', 'lost.jpg'));
  });
  after(() => rmSync(root, { recursive: true }));

  async function* chunks(...texts: readonly string[]) {
    for (const text of texts) yield Buffer.from(text);
  }

  async function listed(named: readonly string[], ...input: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    for await (const path of imagePaths(named, () => chunks(...input))) found.push(path.replace(`${root}/`, ''));
    return found;
  }

  test('those of a folder before those of its folders, links followed but never in circles', async () => {
    assert.deepEqual(await listed([root]), ['z.jpg', 'a/10.png', 'a/2.PNG', 'a/lost.jpg', 'a/b/1.heic']);
    assert.deepEqual(await listed([join(root, 'z.jpg'), `${root}/a//`]), [
      'z.jpg',
      'a/10.png',
      'a/2.PNG',
      'a/lost.jpg',
      'a/b/1.heic',
    ]);
  });

  test('a file that is named is taken whatever its name', async () => {
    assert.deepEqual(await listed([join(root, 'a/notes.txt')]), ['a/notes.txt']);
  });

  test('a list has one path a line, cut anywhere', async () => {
    assert.deepEqual(await listed(['-'], 'é.jpg\n\nb', '.png\nlast'), ['é.jpg', 'b.png', 'last']);
    assert.deepEqual(await listed(['-']), []);
  });

  test('or zero bytes between paths, which may then hold line feeds', async () => {
    assert.deepEqual(await listed(['-'], 'a\nb.jpg\0c', '.jpg\0'), ['a\nb.jpg', 'c.jpg']);
  });

  test('a letter that two chunks share', async () => {
    const bytes = Buffer.from('ä.jpg\n');
    const cut = async function* () {
      yield bytes.subarray(0, 1);
      yield bytes.subarray(1);
    };
    const found: string[] = [];
    for await (const path of imagePaths(['-'], cut)) found.push(path);
    assert.deepEqual(found, ['ä.jpg']);
  });

  test('what leads nowhere is refused', async () => {
    await assert.rejects(requireImagePaths([]), /No images to look at/);
    await assert.rejects(requireImagePaths(['-', '-']), /given twice/);
    await assert.rejects(requireImagePaths([root, join(root, 'none')]), /There is no file or folder .*none/);
    await requireImagePaths([root, '-']);
  });
});
