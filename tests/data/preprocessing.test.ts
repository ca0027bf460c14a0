import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preprocessings } from '#src/data/preprocessing.js';

test('every preprocessing can be divided by its standard deviation', () => {
  for (const { resize, crop, std } of Object.values(preprocessings)) {
    assert.ok(crop <= resize);
    assert.ok(std.every((value) => value > 0));
  }
});
