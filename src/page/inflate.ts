// What zlib has packed (RFC 1950), unpacked by the browser itself.

import { Refusal } from '../data/refusal.js';
import type { Bytes } from './file-edits.js';

/** Unpacks exactly `length` bytes, or all. Throws a Refusal where there are fewer, or they are damaged. */
export async function inflate(packed: readonly Bytes[], length?: number): Promise<Bytes> {
  const stream = new Blob([...packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const unpacked = await new Response(stream).arrayBuffer().catch(() => undefined);
  if (!unpacked || unpacked.byteLength < (length ?? 0)) throw new Refusal('a truncated or damaged file');
  return new Uint8Array(unpacked, 0, length);
}
