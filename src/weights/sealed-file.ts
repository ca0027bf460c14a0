// A safetensors file that proves that it is whole. safetensors has no checksum, so a flipped bit would go unnoticed: here
// the last tensor, `sha256` (U8 [32], the last bytes of the file), is the SHA-256 of everything before it. Any reader of
// safetensors opens such a file.

import { createHash } from 'node:crypto';
import { writeAll, writeAtomically } from '../atomic-file.js';
import { UserError } from '../errors.js';
import { elementCount } from '../graph/types.js';
import { toFloat32 } from './element-types.js';
import { FileBytes } from './file-bytes.js';
import { encodeHeader, parseHeader, prefixBytes, readHeaderText } from './safetensors-header.js';
import type { ExpectedTensor, StateDict, StoredTensor } from './state-dict.js';

const sealName = 'sha256';
const sealBytes = 32;
/** Before the names of the optimizer's slots in a checkpoint. */
export const slotPrefix = 'optimizer/';

/** Whether a tensor belongs to a checkpoint alone, and not to the network. */
export const isOfCheckpoint = (name: string) => name === sealName || name.startsWith(slotPrefix);

/** Small enough for the cache of a processor, large enough to read in few calls. */
const chunkBytes = 4 * 2 ** 20;

/** Tensors that are fetched together, just before they are written. */
export interface SealedPart {
  tensors: readonly ExpectedTensor[];
  /** Gives exactly `tensors`; what it returns is not kept. */
  read(): StateDict;
}

/** Writes the parts one after the other, so that only one is in memory. The file appears whole or not at all. */
export async function writeSealed(
  path: string,
  { parts, metadata }: { parts: readonly SealedPart[]; metadata: Readonly<Record<string, string>> },
): Promise<void> {
  const tensors = parts.flatMap((part) =>
    part.tensors.map(({ name, shape }) => ({ name, type: 'F32' as const, shape })),
  );
  const seal = { name: sealName, type: 'U8' as const, shape: [sealBytes] };
  await writeAtomically(path, async (file) => {
    const hash = createHash('sha256');
    const append = async (bytes: Uint8Array) => {
      hash.update(bytes);
      await writeAll(file, bytes);
    };
    await append(encodeHeader([...tensors, seal], metadata));
    for (const part of parts) {
      const values = part.read();
      for (const { name, shape } of part.tensors) await append(bytesOf(name, shape, values.get(name)));
    }
    await writeAll(file, hash.digest());
  });
}

function bytesOf(name: string, shape: readonly number[], tensor: StoredTensor | undefined): Uint8Array {
  if (tensor === undefined || tensor.data.length !== elementCount(shape)) {
    throw new Error(`internal: ${name} [${shape.join(', ')}] is missing or of another size`);
  }
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}

/** A file whose seal was checked. */
export interface SealedFile {
  path: string;
  metadata: Readonly<Record<string, string>>;
  /** Of all tensors but the seal. */
  tensors: readonly ExpectedTensor[];
}

/**
 * Checks a file against its seal. Throws a `UserError` where it can't be opened or is no safetensors file, and where it
 * has changed since it was written.
 */
export function openSealed(path: string): Promise<SealedFile> {
  return FileBytes.withFile(path, async (file) => {
    const { entries, metadata } = await readHeader(file);
    const seal = entries.find(({ name }) => name === sealName);
    const end = file.size - sealBytes;
    const isLast = seal !== undefined && seal.type === 'U8' && seal.end - seal.begin === sealBytes;
    if (!isLast || seal.begin !== Math.max(...entries.map(({ begin }) => begin))) {
      throw damaged(path, 'no checksum at its end');
    }
    const hash = createHash('sha256');
    for (let at = 0; at < end; at += chunkBytes) hash.update(await file.read(at, Math.min(chunkBytes, end - at)));
    if (!hash.digest().equals(await file.read(end, sealBytes))) throw damaged(path, 'content that its checksum denies');
    return { path, metadata, tensors: entries.filter(({ name }) => name !== sealName) };
  });
}

/** The metadata alone, of a file that may be damaged. */
export function readSealedMetadata(path: string): Promise<Readonly<Record<string, string>>> {
  return FileBytes.withFile(path, async (file) => (await readHeader(file)).metadata);
}

/** All tensors but the seal, in the file's order. */
export function readSealedTensors(path: string): Promise<StateDict> {
  return FileBytes.withFile(path, async (file) => {
    const { entries, dataStart } = await readHeader(file);
    const tensors = new Map<string, StoredTensor>();
    for (const { name, type, shape, begin, end } of entries) {
      if (name === sealName) continue;
      tensors.set(name, { shape, data: toFloat32(await file.read(dataStart + begin, end - begin), type) });
    }
    return tensors;
  });
}

function damaged(path: string, found: string): UserError {
  return new UserError(`${path} is damaged`, { expected: 'the content that was written', found });
}

async function readHeader(file: FileBytes) {
  const text = await readHeaderText(file);
  const dataStart = prefixBytes + text.length;
  return { ...parseHeader(file.path, text.toString('utf8'), file.size - dataStart), dataStart };
}
