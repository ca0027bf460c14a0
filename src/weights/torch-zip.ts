// What torch.save writes since PyTorch 1.6: a zip file with NAME/data.pkl and a file NAME/data/KEY for each storage.

import { UserError } from '../errors.js';
import type { FileBytes } from './file-bytes.js';
import { brokenFile, refusedContent, shown } from './file-errors.js';
import { maxPickleBytes, readPickle } from './pickle.js';
import { type TorchContent, torchRules } from './torch-objects.js';
import { locateEntry, readZipDirectory, type ZipEntry } from './zip.js';

const pickleName = '/data.pkl';

/** Reads the pickle and finds the storages. Throws a `UserError` where that can't be done, as for a TorchScript archive. */
export async function openTorchZip(file: FileBytes): Promise<TorchContent> {
  const entries = await readZipDirectory(file);
  const root = findRoot(file, entries);
  if (entries.has(`${root}/constants.pkl`)) {
    throw new UserError(`${file.path} is a TorchScript archive`, {
      expected: 'the weights alone',
      mend: 'Save them with torch.save(torch.jit.load(FILE).state_dict(), OTHER_FILE)',
    });
  }
  await requireLittleEndian(file, entries.get(`${root}/byteorder`));
  const pickle = await readEntry(file, entries.get(`${root}${pickleName}`), maxPickleBytes);
  const rules = torchRules(file.path);
  const { value } = readPickle(pickle, 0, rules);
  return {
    value,
    locate: async ({ key, byteLength }) => {
      const entry = entries.get(`${root}/data/${key}`);
      if (entry?.size === byteLength) return locateEntry(file, entry);
      const found = entry
        ? `${entry.size} bytes of storage ${shown(key)} instead of ${byteLength}`
        : `no storage ${key}`;
      throw brokenFile(file.path, found, 'PyTorch');
    },
  };
}

function findRoot(file: FileBytes, entries: ReadonlyMap<string, ZipEntry>): string {
  const roots = [...entries.keys()].filter((name) => name.indexOf('/') === name.length - pickleName.length);
  const names = roots.filter((name) => name.endsWith(pickleName));
  const [name] = names;
  if (name !== undefined && names.length === 1) return name.slice(0, -pickleName.length);
  const first = [...entries.keys()].slice(0, 3).map(shown).join(', ');
  throw new UserError(`${file.path} is a zip file, but not one of PyTorch's`, {
    expected: 'one data.pkl',
    found: names.length > 1 ? `${names.length}` : first || 'nothing in it',
  });
}

async function requireLittleEndian(file: FileBytes, entry: ZipEntry | undefined): Promise<void> {
  // PyTorch before 2.1 wrote none.
  if (!entry) return;
  const order = Buffer.from(await readEntry(file, entry, 16)).toString('latin1');
  if (order !== 'little') throw refusedContent(file.path, `values in ${shown(order)}-endian order`);
}

async function readEntry(file: FileBytes, entry: ZipEntry | undefined, maxBytes: number): Promise<Uint8Array> {
  if (!entry) throw new Error('internal: a zip entry vanished');
  if (entry.size > maxBytes) throw refusedContent(file.path, `a pickle of ${entry.size} bytes`);
  return file.read(await locateEntry(file, entry), entry.size);
}
