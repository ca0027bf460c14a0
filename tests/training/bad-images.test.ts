import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnreadableImageError } from '#src/data/unreadable-image.js';
import { UserError } from '#src/errors.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { type BadImagesSettings, createBadImages, stillUnreadable } from '#src/training/bad-images.js';
import { greyImages, greyPreprocessing } from '../data/grey-images.js';

const bad = (...names: string[]) => names.map((path, index) => ({ path, reason: `why ${path}`, index }));
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `${i}.jpg`);

function create(settings: Partial<BadImagesSettings>) {
  const events: TrainingEvent[] = [];
  const images = createBadImages({ policy: 'skip', total: 1000, report: (event) => events.push(event), ...settings });
  return { images, told: () => events.map((event) => (event.kind === 'bad-image' ? event.path : event.kind)) };
}

test('each file is told of once and listed in the order met', () => {
  const { images, told } = create({});
  images.note([]);
  images.note(bad('a', 'b'));
  images.note(bad('b', 'c', 'a'));
  assert.deepEqual(told(), ['a', 'b', 'c']);
  assert.deepEqual(images.list, [
    { path: 'a', reason: 'why a' },
    { path: 'b', reason: 'why b' },
    { path: 'c', reason: 'why c' },
  ]);
});

const limits: readonly { total: number; allowed: number }[] = [
  { total: 1, allowed: 0 },
  { total: 99, allowed: 0 },
  { total: 100, allowed: 1 },
  { total: 199, allowed: 1 },
  { total: 200, allowed: 2 },
  { total: 12_345, allowed: 123 },
];

for (const { total, allowed } of limits) {
  test(`of ${total} images ${allowed} may be unreadable, and not one more`, () => {
    const names = numbered(allowed + 1);
    const { images, told } = create({ total });
    images.note(bad(...names.slice(0, allowed)));
    images.note(bad(...names.slice(0, allowed)));
    assert.throws(
      () => images.note(bad(...names.slice(allowed))),
      (error) => {
        assert.ok(error instanceof UserError && !(error instanceof UnreadableImageError));
        assert.equal(
          error.message,
          `Too many images can't be read: expected at most ${allowed} of ${total} (1 in 100), found ${allowed + 1} so far, ` +
            `the last of them ${allowed}.jpg: why ${allowed}.jpg. ` +
            'Replace or remove them: `deep-cnn data check DIR` lists them all.',
        );
        return true;
      },
    );
    // The one too many is told of and listed like the others.
    assert.deepEqual(told(), names);
  });
}

test('what a resumed run knows already counts, and is not told again', () => {
  const known = [{ path: 'a', reason: 'then' }];
  const { images, told } = create({ total: 200, known });
  images.note(bad('a'));
  images.note(bad('b'));
  assert.deepEqual(told(), ['b']);
  assert.deepEqual(images.list, [...known, { path: 'b', reason: 'why b' }]);
  assert.throws(() => images.note(bad('c')), /found 3 so far/);
});

test('with the policy error the first one ends the run', () => {
  const { images, told } = create({ policy: 'error' });
  images.note([]);
  assert.throws(
    () => images.note(bad('a', 'b')),
    (error) => {
      assert.ok(error instanceof UnreadableImageError);
      assert.equal(error.message, "Can't read the image a: found why a. Replace or remove this file.");
      return true;
    },
  );
  assert.deepEqual(told(), []);
});

test('files that were replaced meanwhile are no longer known as unreadable', async (t) => {
  const images = await greyImages(t, [3, 5]);
  const known = [3, 4, 5].map((index) => ({ path: images.at(index).path, reason: 'then' }));
  const found = await stillUnreadable(known, { preprocessing: greyPreprocessing });
  assert.deepEqual(
    found.map(({ path }) => path),
    [known[0]?.path, known[2]?.path],
  );
  assert.match(found[0]?.reason ?? '', /no image/);
  assert.deepEqual(await stillUnreadable([], { preprocessing: greyPreprocessing }), []);
});
