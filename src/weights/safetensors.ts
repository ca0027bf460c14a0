// Weights on disk: safetensors (https://github.com/huggingface/safetensors), an 8-byte header length, a JSON header and
// the tensors' bytes. Written whole or not at all; read only after the header has proved to fit the file.

import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../errors.js';
import type { StateDict, StoredTensor } from './state-dict.js';

export interface WeightsFile {
  weights: StateDict;
  metadata: Readonly<Record<string, string>>;
}

interface HeaderEntry {
  dtype: string;
  shape: readonly number[];
  data_offsets: readonly [begin: number, end: number];
}

const prefixBytes = 8;
/** The limit of the reference implementation. */
const maxHeaderBytes = 100_000_000;

/** Writes weights in their order. The file appears under its name only when all of it is on the disk. */
export async function writeSafetensors(path: string, { weights, metadata }: WeightsFile): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const file = await open(temporary, 'w');
    try {
      await file.write(encodeHeader(weights, metadata));
      for (const { data } of weights.values()) await file.write(littleEndianBytes(data));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function encodeHeader(weights: StateDict, metadata: Readonly<Record<string, string>>): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const [name, { shape, data }] of weights) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces at the end keep the tensors aligned.
  const padded = Buffer.alloc(prefixBytes + Math.ceil(json.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - prefixBytes));
  json.copy(padded, prefixBytes);
  return padded;
}

function littleEndianBytes(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Reads all weights of a file, as float32. Throws a `UserError` where the file can't be opened, is no safetensors file,
 * is cut short, or holds tensors of a type other than F32 (64-bit batch counters are passed over).
 */
export async function readSafetensors(path: string): Promise<WeightsFile> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`The weights file ${path} can't be opened`, { found: error.message }, { cause: error });
  });
  try {
    const { size } = await file.stat();
    const { header, dataStart } = await readHeader(file, path, size);
    const weights = new Map<string, StoredTensor>();
    for (const [name, entry] of Object.entries(header)) {
      if (name === '__metadata__' || name.endsWith('.num_batches_tracked')) continue;
      weights.set(name, await readTensor(file, path, { name, entry, dataStart, size }));
    }
    return { weights, metadata: readMetadata(header['__metadata__'], path) };
  } finally {
    await file.close();
  }
}

async function readHeader(file: FileHandle, path: string, size: number) {
  const prefix = Buffer.alloc(prefixBytes);
  if (size < prefixBytes) throw malformed(path, `a file of ${size} bytes`);
  await file.read(prefix, 0, prefixBytes, 0);
  const length = Number(prefix.readBigUInt64LE());
  if (length > Math.min(maxHeaderBytes, size - prefixBytes)) {
    throw malformed(path, `a header of ${length} bytes in a file of ${size}`);
  }
  const json = Buffer.alloc(length);
  await file.read(json, 0, length, prefixBytes);
  let header: unknown;
  try {
    header = JSON.parse(json.toString('utf8'));
  } catch (error) {
    throw malformed(path, `a header that is no JSON (${error instanceof Error ? error.message : error})`);
  }
  if (!isRecord(header)) throw malformed(path, 'a header that is no JSON object');
  return { header, dataStart: prefixBytes + length };
}

interface TensorPlace {
  name: string;
  entry: unknown;
  dataStart: number;
  size: number;
}

async function readTensor(file: FileHandle, path: string, place: TensorPlace): Promise<StoredTensor> {
  const { name, entry, dataStart, size } = place;
  if (!isHeaderEntry(entry)) throw malformed(path, `no type, shape and place for ${name}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const [begin, end] = offsets;
  if (dtype !== 'F32') {
    throw new UserError(`The weights in ${path} have a type that is not read`, {
      expected: 'F32',
      found: `${dtype} (${name})`,
    });
  }
  const count = shape.reduce((product, length) => product * length, 1);
  if (begin < 0 || end - begin !== count * 4 || dataStart + end > size) {
    throw malformed(path, `${name} [${shape.join(', ')}] at bytes ${begin} to ${end} of ${size - dataStart}`);
  }
  const data = new Float32Array(count);
  await file.read(littleEndianBytes(data), 0, data.byteLength, dataStart + begin);
  return { shape, data };
}

function readMetadata(metadata: unknown, path: string): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isRecord(metadata)) throw malformed(path, 'metadata that is no JSON object');
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, String(value)]));
}

function isHeaderEntry(value: unknown): value is HeaderEntry {
  if (!isRecord(value)) return false;
  const { dtype, shape, data_offsets: offsets } = value;
  const areLengths = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((item) => Number.isSafeInteger(item) && item >= 0);
  return typeof dtype === 'string' && areLengths(shape) && areLengths(offsets) && offsets.length === 2;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(path: string, found: string): UserError {
  return new UserError(`${path} is no whole safetensors file`, {
    found,
    mend: 'Copy or download it again',
  });
}
