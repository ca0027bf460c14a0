// Pickles for tests, written operation by operation, so that they can be wrong in any way.

/** A pickle of protocol 2 or the one given, closed with STOP. */
export function pickle(operations: readonly Buffer[], protocol = 2): Buffer {
  return Buffer.concat([Buffer.from([0x80, protocol]), ...operations, Buffer.from('.')]);
}

/** Operations without arguments, by their letters. */
export const op = (letters: string) => Buffer.from(letters, 'latin1');

export const text = (value: string) => Buffer.concat([op('X'), uint(Buffer.byteLength(value), 4), Buffer.from(value)]);

export const global = (module: string, name: string) => op(`c${module}\n${name}\n`);

/** A whole number of up to 8 bytes, as LONG1. */
export function integer(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return Buffer.concat([op('\x8a\x08'), bytes]);
}

export const tuple = (...items: readonly Buffer[]) => Buffer.concat([op('('), ...items, op('t')]);

/** Unsigned and little-endian. */
export function uint(value: number | bigint, bytes: 1 | 2 | 4 | 8): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer.subarray(0, bytes);
}

export interface ViewOfStorage {
  storageType?: string;
  key?: string;
  /** Elements of the storage. */
  count?: number;
  offset?: number | bigint;
  shape?: readonly (number | bigint)[];
  strides?: readonly (number | bigint)[];
  /** What follows the hooks. */
  rest?: readonly Buffer[];
  /** What follows the storage's size. */
  storageRest?: readonly Buffer[];
}

/** A tensor as torch.save pickles it: by default [2] over a storage '0' of two float32. */
export function tensor(view: ViewOfStorage = {}): Buffer {
  const { storageType = 'FloatStorage', key = '0', count = 2, offset = 0, shape = [2], strides = [1] } = view;
  const type = global('torch', storageType);
  const storage = tuple(text('storage'), type, text(key), text('cpu'), integer(count), ...(view.storageRest ?? []));
  const sizes = [tuple(...shape.map(integer)), tuple(...strides.map(integer))];
  const hooks = Buffer.concat([global('collections', 'OrderedDict'), op(')R')]);
  const args = tuple(storage, op('Q'), integer(offset), ...sizes, op('\x89'), hooks, ...(view.rest ?? []));
  return Buffer.concat([global('torch._utils', '_rebuild_tensor_v2'), args, op('R')]);
}

export const dict = (entries: Readonly<Record<string, Buffer>>) =>
  Buffer.concat([op('}('), ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]), op('u')]);

export interface LegacyFile {
  object: Buffer;
  /** Each storage's elements, as they are counted in the file, and its bytes. */
  storages?: Readonly<Record<string, { count?: number | bigint; bytes: Buffer }>>;
  magic?: Buffer;
  version?: number;
  system?: Buffer;
}

/** A file as PyTorch before 1.6 wrote it; by default with a storage '0' of two float32, 1.5 and -2. */
export function legacyFile(file: LegacyFile): Buffer {
  const { object, magic = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex'), version = 1001 } = file;
  const { storages = { 0: { count: 2, bytes: Buffer.from('0000c03f000000c0', 'hex') } } } = file;
  const { system = dict({ little_endian: op('\x88') }) } = file;
  const keys = Buffer.concat([op(']('), ...Object.keys(storages).map(text), op('e')]);
  return Buffer.concat([
    ...[magic, integer(version), system, object, keys].map((operations) => pickle([operations])),
    ...Object.values(storages).flatMap(({ count, bytes }) => [uint(count ?? bytes.length / 4, 8), bytes]),
  ]);
}
