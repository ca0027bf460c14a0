// What torch.save wrote before PyTorch 1.6: four pickles (a magic number, the version, facts about the machine, the
// object), one more with the storages' keys, and then each storage as its number of elements and its bytes.

import type { FileBytes } from './file-bytes.js';
import { brokenFile, refusedContent, shown } from './file-errors.js';
import { maxPickleBytes, readPickle } from './pickle.js';
import { type Storage, type TorchContent, torchRules } from './torch-objects.js';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const formatVersion = 1001;
const countBytes = 8;

/** Reads the pickles and finds the storages. Throws a `UserError` where that can't be done. */
export async function openTorchLegacy(file: FileBytes): Promise<TorchContent> {
  const head = await file.read(0, Math.min(file.size, maxPickleBytes));
  const rules = torchRules(file.path);
  let position = 0;
  const next = () => {
    const { value, end } = readPickle(head, position, rules);
    position = end;
    return value;
  };
  if (next() !== magicNumber) throw refusedContent(file.path, 'a pickle that PyTorch did not write');
  const version = next();
  if (version !== formatVersion) throw refusedContent(file.path, `version ${String(version)} of PyTorch's format`);
  const system = next();
  if (!(system instanceof Map) || system.get('little_endian') !== true) {
    throw refusedContent(file.path, 'values in big-endian order');
  }
  const value = next();
  const starts = await findStorages(file, next(), position, rules.storages);
  return {
    value,
    locate: async ({ key }) => {
      const start = starts.get(key);
      if (start === undefined) throw brokenFile(file.path, `no storage ${shown(key)}`, 'PyTorch');
      return start;
    },
  };
}

async function findStorages(
  file: FileBytes,
  keys: unknown,
  position: number,
  storages: ReadonlyMap<string, Storage>,
): Promise<ReadonlyMap<string, number>> {
  if (!Array.isArray(keys)) throw brokenFile(file.path, 'no list of its storages', 'PyTorch');
  const starts = new Map<string, number>();
  let at = position;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage || starts.has(storage.key)) {
      throw brokenFile(
        file.path,
        `storage ${shown(String(key))}, which no tensor uses or which is there twice`,
        'PyTorch',
      );
    }
    const count = Buffer.from(await file.read(at, countBytes)).readBigInt64LE();
    if (count !== BigInt(storage.count)) {
      throw brokenFile(
        file.path,
        `${count} elements of storage ${shown(storage.key)} instead of ${storage.count}`,
        'PyTorch',
      );
    }
    starts.set(storage.key, at + countBytes);
    at += countBytes + storage.byteLength;
  }
  if (at > file.size) throw brokenFile(file.path, `storages up to byte ${at} of ${file.size}`, 'PyTorch');
  return starts;
}
