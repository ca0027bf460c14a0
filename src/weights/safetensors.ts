// Weights on disk: safetensors (https://github.com/huggingface/safetensors), an 8-byte header length, a JSON header and
// the tensors' bytes. Written whole or not at all; read only after the header has proved to fit the file.

import { writeAll, writeAtomically } from '../atomic-file.js';
import { toFloat32 } from './element-types.js';
import { FileBytes } from './file-bytes.js';
import { encodeHeader, parseHeader, prefixBytes, readHeaderText } from './safetensors-header.js';
import { isOfCheckpoint } from './sealed-file.js';
import { isBatchCounter, type StoredTensor, type WeightsFile } from './state-dict.js';

/** Writes weights in their order. The file appears under its name only when all of it is on the disk. */
export async function writeSafetensors(path: string, { weights, metadata }: WeightsFile): Promise<void> {
  await writeAtomically(path, async (file) => {
    const tensors = Array.from(weights, ([name, { shape }]) => ({ name, type: 'F32' as const, shape }));
    await writeAll(file, encodeHeader(tensors, metadata));
    for (const { data } of weights.values()) await writeAll(file, littleEndianBytes(data));
  });
}

function littleEndianBytes(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Reads all weights of a file, as float32 whatever their type; 64-bit batch counters, and what checkpoints hold besides,
 * are passed over.
 * @throws UserError where the file can't be opened, is no safetensors file, is cut short, or its header does not account
 * for every byte exactly once.
 */
export function readSafetensors(path: string): Promise<WeightsFile> {
  return FileBytes.withFile(path, readSafetensorsFrom);
}

/** As `readSafetensors`, from a file that is open. */
export async function readSafetensorsFrom(file: FileBytes): Promise<WeightsFile> {
  const text = await readHeaderText(file);
  const dataStart = prefixBytes + text.length;
  const { entries, metadata } = parseHeader(file.path, text.toString('utf8'), file.size - dataStart);
  const weights = new Map<string, StoredTensor>();
  for (const { name, type, shape, begin, end } of entries) {
    if (isBatchCounter(name) || isOfCheckpoint(name)) continue;
    weights.set(name, { shape, data: toFloat32(await file.read(dataStart + begin, end - begin), type) });
  }
  return { weights, metadata };
}
