import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findDataDir, findFile, findRootDir, projectRootOf } from '#src/options/paths.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'deep-cnn-paths-')));
const start = process.cwd();
before(() => {
  for (const path of ['root/both', 'root/mine', 'here/both', 'here/yours']) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  writeFileSync(join(folder, 'here/file'), '');
  process.chdir(join(folder, 'here'));
});
after(() => {
  process.chdir(start);
  rmSync(folder, { recursive: true });
});

test('data is sought in the root folder first and then in the current one', () => {
  const root = join(folder, 'root');
  assert.equal(findDataDir('both', root), join(root, 'both'));
  assert.equal(findDataDir('mine', root), join(root, 'mine'));
  assert.equal(findDataDir('yours', root), join(folder, 'here/yours'));
  assert.equal(findDataDir(join(root, 'mine'), 'anywhere'), join(root, 'mine'));
});

test('data that is not there is an error with both places in it', () => {
  const root = join(folder, 'root');
  assert.throws(
    () => findDataDir('none', root),
    (error) => {
      assert.ok(error instanceof Error);
      assert.ok(error.message.includes(join(root, 'none')) && error.message.includes(join(folder, 'here/none')));
      return true;
    },
  );
  assert.throws(() => findDataDir('file', root), /found the file '.*here\/file'/);
});

test('the root folder may be missing but not a file', () => {
  assert.equal(findRootDir('later'), join(folder, 'here/later'));
  assert.throws(() => findRootDir('file'), /root_dir: expected a folder/);
});

test('a file has to be a file', () => {
  assert.equal(findFile('weights', 'file'), join(folder, 'here/file'));
  assert.throws(() => findFile('weights', 'yours'), /found a folder/);
  assert.throws(() => findFile('weights', 'none'), /found none/);
});

test('the project folder is the package, unless that is a dependency', () => {
  assert.equal(projectRootOf('/home/me/deep-cnn', '/tmp'), '/home/me/deep-cnn');
  assert.equal(projectRootOf('/home/me/app/node_modules/deep-cnn', '/tmp'), '/tmp');
  assert.equal(projectRootOf('/home/me/my_node_modules/deep-cnn', '/tmp'), '/home/me/my_node_modules/deep-cnn');
});
