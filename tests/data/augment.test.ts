// What is drawn for an image, and that the pixels are torchvision's to the bit: augmented.json has the first 16 digits of
// their SHA-256 for the recipes of seed 5, epoch 2 (make-augmented.py beside it).

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { augmentations, drawRecipe, type Recipe } from '#src/data/augment.js';
import { decodeInto, decodeWithSharp } from '#src/data/decode.js';
import { preprocessings } from '#src/data/preprocessing.js';

const fixtures = fileURLToPath(new URL('../../../tests/data/fixtures/', import.meta.url));
const expected: { names: string[]; crop: number; hashes: string[] } = JSON.parse(
  readFileSync(join(fixtures, 'augmented.json'), 'utf8'),
);
const operations =
  'Identity ShearX ShearY TranslateX TranslateY Rotate Brightness Color Contrast Sharpness Posterize Solarize AutoContrast Equalize'.split(
    ' ',
  );

/** The recipe's parts by name; the numbers before them are ten boxes' areas and aspects. */
function partsOf(recipe: Recipe | undefined) {
  assert.ok(recipe);
  const [across = -1, down = -1, flip = -1, operation = -1, magnitude = Number.NaN] = recipe.subarray(20);
  const boxes = Array.from({ length: 10 }, (_, i) => ({ area: recipe[2 * i] ?? 0, aspect: recipe[2 * i + 1] ?? 0 }));
  return { boxes, across, down, flip, operation: operations[operation] ?? String(operation), magnitude };
}

const trivial = { kind: 'trivial', seed: 5, epoch: 2 } as const;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const spread = (count: number, seed = 1) =>
  Array.from({ length: count }, (_, index) => partsOf(drawRecipe({ ...trivial, seed }, index)));

for (const [index, hash] of expected.hashes.entries()) {
  const name = expected.names[index % expected.names.length] ?? '';
  const recipe = drawRecipe(trivial, index);
  test(`${partsOf(recipe).operation} on ${name} is torchvision's to the bit`, async () => {
    const { crop } = expected;
    const interpolation = index % 2 === 0 ? 'bilinear' : 'bicubic';
    for (const decode of [decodeInto, decodeWithSharp]) {
      const buffer = new ArrayBuffer(crop * crop * 3);
      await decode(
        join(fixtures, name),
        { ...preprocessings.resnet, crop, interpolation },
        { recipe, buffer, offset: 0 },
      );
      const found = createHash('sha256').update(new Uint8Array(buffer)).digest('hex').slice(0, 16);
      assert.equal(found, hash, `${decode.name}, image ${index}`);
    }
  });
}

test('the images that are compared see every operation, both mirrored and not', () => {
  const drawn = expected.hashes.map((_, index) => partsOf(drawRecipe(trivial, index)));
  assert.deepEqual(new Set(drawn.map(({ operation }) => operation)), new Set(operations));
  assert.deepEqual(new Set(drawn.map(({ flip }) => flip)), new Set([0, 1]));
});

test('boxes cover 8 % to all of the image, with aspects around 1', () => {
  const drawn = spread(2000);
  const areas = drawn.flatMap(({ boxes }) => boxes.map(({ area }) => area));
  const aspects = drawn.flatMap(({ boxes }) => boxes.map(({ aspect }) => Math.log(aspect)));
  assert.ok(Math.min(...areas) >= 0.08 && Math.min(...areas) < 0.081);
  assert.ok(Math.max(...areas) <= 1 && Math.max(...areas) > 0.999);
  assert.ok(Math.abs(mean(areas) - 0.54) < 0.01);
  const widest = Math.log(4 / 3);
  assert.ok(aspects.every((aspect) => Math.abs(aspect) <= widest + 1e-12));
  assert.ok(Math.max(...aspects) > 0.99 * widest && Math.min(...aspects) < -0.99 * widest);
  assert.ok(Math.abs(mean(aspects)) < 0.01);
  for (const place of ['across', 'down'] as const) {
    const places = drawn.map((parts) => parts[place]);
    assert.ok(places.every((share) => share >= 0 && share < 1));
    assert.ok(Math.abs(mean(places) - 0.5) < 0.02);
  }
});

test('half of the images are mirrored, and half of the signed strengths negated', () => {
  const drawn = spread(4000);
  assert.ok(Math.abs(mean(drawn.map(({ flip }) => flip)) - 0.5) < 0.03);
  const signed = drawn.filter(({ operation }) => operation === 'Rotate' || operation === 'Color');
  const negative = signed.filter(({ magnitude }) => magnitude < 0).length / signed.length;
  // One strength of 31 is nothing.
  assert.ok(Math.abs(negative - 15 / 31) < 0.1, `${negative}`);
});

test('operations are equally likely, with strengths from nothing to their most', () => {
  const drawn = spread(14_000);
  const most = [0, 0.99, 0.99, 32, 32, 135, 0.99, 0.99, 0.99, 0.99, 8, 255, 0, 0];
  for (const [number, operation] of operations.entries()) {
    const same = drawn.filter((parts) => parts.operation === operation);
    assert.ok(Math.abs(same.length - 1000) < 150, `${same.length} of 14000 are ${operation}`);
    const strengths = new Set(same.map(({ magnitude }) => Math.abs(magnitude)));
    assert.equal(Math.max(...strengths), Math.fround(most[number] ?? 0), operation);
    assert.equal(Math.min(...strengths), operation === 'Posterize' ? 2 : 0, operation);
    assert.equal(strengths.size, { Posterize: 7 }[operation] ?? (most[number] === 0 ? 1 : 31), operation);
  }
});

test('torch.linspace decides which strengths there are', () => {
  const shifts = new Set(spread(14_000).flatMap((parts) => (parts.operation === 'TranslateX' ? parts.magnitude : [])));
  // Of 31 strengths the 16th is 15.999999, which moves an image by 15 pixels.
  assert.ok(shifts.has(Math.fround(15.999999046325684)) && !shifts.has(16));
});

test('a recipe depends on seed, epoch and index, and on nothing else', () => {
  const recipe = drawRecipe(trivial, 7);
  assert.deepEqual(drawRecipe({ ...trivial }, 7), recipe);
  for (const other of [
    drawRecipe({ ...trivial, seed: 6 }, 7),
    drawRecipe({ ...trivial, epoch: 3 }, 7),
    drawRecipe(trivial, 8),
    drawRecipe({ ...trivial, seed: 2, epoch: 5 }, 7),
  ]) {
    assert.notDeepEqual(other, recipe);
  }
});

test('basic is trivial without its operation, and none is nothing', () => {
  assert.deepEqual(augmentations, ['none', 'basic', 'trivial']);
  for (let index = 0; index < 50; index++) {
    const basic = partsOf(drawRecipe({ ...trivial, kind: 'basic' }, index));
    assert.deepEqual(
      { ...basic, operation: '', magnitude: 0 },
      { ...partsOf(drawRecipe(trivial, index)), operation: '', magnitude: 0 },
    );
    assert.deepEqual([basic.operation, basic.magnitude], ['Identity', 0]);
  }
  assert.equal(drawRecipe({ ...trivial, kind: 'none' }, 0), undefined);
});

test('a recipe with a number out of its range is a mistake of ours', async () => {
  const target = { buffer: new ArrayBuffer(96 * 96 * 3), offset: 0 };
  const recipe = drawRecipe(trivial, 0);
  assert.ok(recipe);
  const changed = [
    recipe.slice(1),
    recipe.with(0, 0),
    recipe.with(1, Number.NaN),
    recipe.with(20, 1),
    recipe.with(23, 14),
    recipe.with(24, 1e9),
  ];
  for (const wrong of changed) {
    const decoding = decodeInto(
      join(fixtures, 'wide.jpg'),
      { ...preprocessings.resnet, crop: 96 },
      { ...target, recipe: wrong },
    );
    await assert.rejects(decoding, /internal: a recipe/);
  }
});
