import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openRuntime } from '#src/tensorflow/runtime.js';

const gibibyte = 2 ** 30;
const runtime = await openRuntime('cpu');

/** Bytes of addresses and of memory that this process has. */
function sizes(): { addresses: number; memory: number } {
  const status = readFileSync('/proc/self/status', 'utf8');
  const bytes = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
  return { addresses: bytes('VmSize'), memory: bytes('VmRSS') };
}

test('addresses are reserved, and memory only for their table', () => {
  runtime.reserve(1);
  const before = sizes();
  runtime.reserve(2 * gibibyte);
  const after = sizes();
  assert.ok(after.addresses - before.addresses >= 2 * gibibyte);
  assert.ok(after.memory - before.memory < gibibyte / 4);
  assert.equal(runtime.tensorCount(), 0);
});

test('what is reserved is used, and not reserved again', () => {
  const { addresses } = sizes();
  runtime.reserve(gibibyte);
  assert.equal(sizes().addresses, addresses);
});

test('what no machine has is not reserved, without an error', () => {
  const { addresses } = sizes();
  runtime.reserve(2 ** 42);
  assert.equal(sizes().addresses, addresses);
});
