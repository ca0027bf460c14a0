import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { classIndices, readClassNames } from '#src/inference/class-names.js';
import { imagenetClasses } from '#src/inference/imagenet-classes.js';

describe('names of classes', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'deep-cnn-names-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function read(text: string) {
    const path = join(folder, 'labels.txt');
    writeFileSync(path, text);
    return readClassNames(path);
  }

  test('are lines of a file', () => {
    assert.deepEqual(read('alley\ncorn field\n'), ['alley', 'corn field']);
    assert.deepEqual(read('alley\r\nstraße'), ['alley', 'straße']);
  });

  test('must differ from each other, and none is empty', () => {
    assert.throws(() => read('a\n\nb\n'), /one a line, each another one, found an empty line/);
    assert.throws(() => read('a\nb\na\n'), /found "a" twice/);
    assert.throws(() => readClassNames(join(folder, 'none')), /can't be read/);
  });

  test("have ImageNet's ids beside them where they are ImageNet's", () => {
    const names = imagenetClasses.map(({ name }) => name);
    assert.equal(classIndices(names).get('n02124075'), 285);
    assert.equal(classIndices(names).get('Egyptian cat'), 285);
    assert.equal(classIndices(names.slice(1)).get('n02124075'), undefined);
    assert.equal(classIndices(['a', 'b']).get('b'), 1);
  });
});
