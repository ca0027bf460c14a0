// The header of a safetensors file, which must prove itself before a tensor is read: every byte of the data belongs to
// one tensor, and each tensor's bytes are as many as its shape needs.

import { messageOf } from '../errors.js';
import { elementCount } from '../graph/types.js';
import { isRecord } from '../is-record.js';
import { type ElementType, elementBytes, isElementType } from './element-types.js';
import type { FileBytes } from './file-bytes.js';
import { brokenFile, refusedContent, shown } from './file-errors.js';

export interface SafetensorsEntry {
  name: string;
  type: ElementType;
  shape: readonly number[];
  /** Bytes from the end of the header. */
  begin: number;
  end: number;
}

/** The header's length stands before it. */
export const prefixBytes = 8;
/** A header may be no longer. ResNet-152's has 0.1 MB. */
const maxHeaderBytes = 4 * 2 ** 20;
const metadataKey = '__metadata__';

/** Prefix and header of a file that holds `tensors` in this order, without gaps. */
export function encodeHeader(
  tensors: Iterable<{ name: string; type: ElementType; shape: readonly number[] }>,
  metadata: Readonly<Record<string, string>>,
): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = { [metadataKey]: metadata };
  for (const { name, type, shape } of tensors) {
    const end = offset + elementCount(shape) * elementBytes[type];
    header[name] = { dtype: type, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces at the end keep the tensors aligned.
  const padded = Buffer.alloc(prefixBytes + Math.ceil(json.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - prefixBytes));
  json.copy(padded, prefixBytes);
  return padded;
}

/** The header's JSON, not yet parsed. Throws a `UserError` where it is longer than the file or any header. */
export async function readHeaderText(file: FileBytes): Promise<Buffer> {
  if (file.size < prefixBytes) throw broken(file.path, `a file of ${file.size} bytes`);
  const length = Number(Buffer.from(await file.read(0, prefixBytes)).readBigUInt64LE());
  if (length > Math.min(maxHeaderBytes, file.size - prefixBytes)) {
    throw broken(file.path, `a header of ${length} bytes in a file of ${file.size}`);
  }
  return Buffer.from((await file.read(prefixBytes, length)).buffer);
}

/** The tensors in the header's order, and the metadata. Throws a `UserError` where they do not account for `dataBytes`. */
export function parseHeader(path: string, text: string, dataBytes: number) {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw broken(path, `a header that is no JSON (${shown(messageOf(error))})`);
  }
  if (!isRecord(header)) throw broken(path, 'a header that is no JSON object');
  const twice = repeatedKey(text);
  if (twice !== undefined) throw broken(path, `${shown(twice)} twice`);
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== metadataKey) entries.push(readEntry(path, name, value, dataBytes));
  }
  requireFullCover(path, entries, dataBytes);
  return { entries, metadata: readMetadata(path, header[metadataKey]) };
}

function readEntry(path: string, name: string, value: unknown, dataBytes: number): SafetensorsEntry {
  if (!isRecord(value)) throw broken(path, `no type, shape and place for ${shown(name)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  const [begin, end] = areLengths(offsets) ? offsets : [];
  if (typeof dtype !== 'string' || !areLengths(shape) || begin === undefined || end === undefined) {
    throw broken(path, `no type, shape and place for ${shown(name)}`);
  }
  if (!isElementType(dtype)) throw refusedContent(path, `numbers of type ${shown(dtype)} (${shown(name)})`);
  const count = elementCount(shape);
  if (end - begin !== count * elementBytes[dtype] || end > dataBytes) {
    throw broken(path, shown(`${name} [${shape.join(', ')}] at bytes ${begin} to ${end} of ${dataBytes}`));
  }
  return { name, type: dtype, shape, begin, end };
}

function requireFullCover(path: string, entries: readonly SafetensorsEntry[], dataBytes: number): void {
  let covered = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered) throw broken(path, `${shown(name)} over the tensor before it, from byte ${begin}`);
    if (begin > covered) throw broken(path, `a hole from byte ${covered} to ${begin}`);
    covered = end;
  }
  if (covered < dataBytes) throw broken(path, `${dataBytes - covered} bytes after its last tensor`);
}

function readMetadata(path: string, metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isRecord(metadata)) throw broken(path, 'metadata that is no JSON object');
  const texts = Object.entries(metadata).map(([key, value]): [string, string] => {
    if (typeof value === 'string') return [key, value];
    throw broken(path, `metadata ${shown(key)} that is no text`);
  });
  return Object.fromEntries(texts);
}

const [openBrace, closeBrace, openBracket, closeBracket, quote, backslash] = Buffer.from('{}[]"\\');

/** The first key that a JSON object (which `JSON.parse` has taken) has twice at its outermost level, if any. */
function repeatedKey(json: string): string | undefined {
  const keys = new Set<string>();
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === openBrace || code === openBracket) depth += 1;
    else if (code === closeBrace || code === closeBracket) depth -= 1;
    else if (code === quote) {
      const start = at++;
      while (json.charCodeAt(at) !== quote) at += json.charCodeAt(at) === backslash ? 2 : 1;
      if (depth !== 1 || !isKeyEnd(json, at + 1)) continue;
      const key: unknown = JSON.parse(json.slice(start, at + 1));
      if (keys.has(String(key))) return String(key);
      keys.add(String(key));
    }
  }
  return undefined;
}

/** Whether a colon follows, after white space. */
function isKeyEnd(json: string, position: number): boolean {
  let at = position;
  while (json[at] === ' ' || json[at] === '\n' || json[at] === '\r' || json[at] === '\t') at += 1;
  return json[at] === ':';
}

function areLengths(list: unknown): list is number[] {
  return Array.isArray(list) && list.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function broken(path: string, found: string): Error {
  return brokenFile(path, found, 'safetensors');
}
