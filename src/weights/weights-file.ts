// One way in for weights of any known format. What a file is follows from its first bytes, whatever its name.

import { UserError } from '../errors.js';
import { FileBytes } from './file-bytes.js';
import { mapOriginalNames } from './original-names.js';
import { readSafetensorsFrom } from './safetensors.js';
import type { WeightsFile } from './state-dict.js';
import { readTorchFile } from './torch-file.js';

export type { WeightsFile } from './state-dict.js';

/**
 * Reads all weights of a file, as float32: safetensors, or what torch.save wrote (zip or legacy, a state_dict or a
 * checkpoint with one; the original Python program's get torchvision's names). Memory stays within a small multiple of the
 * file's size. Throws a `UserError` where the file can't be opened, is of another format (which it names), is cut short
 * or inconsistent, or holds anything but tensors and plain containers.
 */
export function readWeightsFile(path: string): Promise<WeightsFile> {
  return FileBytes.withFile(path, async (file) => {
    const head = Buffer.from(await file.read(0, Math.min(file.size, headBytes)));
    if (startsWith(head, 'PK\x03\x04')) return torchWeights(file, 'zip');
    if (head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5) return torchWeights(file, 'legacy');
    // An unknown file may still be a broken one of the kind that its name says.
    if (head[8] === 0x7b || path.endsWith('.safetensors')) return readSafetensorsFrom(file);
    throw new UserError(`${path} is no weights file`, {
      expected: 'safetensors, or a .pth or .pt of PyTorch',
      found: describe(head),
    });
  });
}

async function torchWeights(file: FileBytes, format: 'zip' | 'legacy'): Promise<WeightsFile> {
  return { weights: mapOriginalNames(await readTorchFile(file, format), file.path), metadata: {} };
}

const headBytes = 512;

const signatures: readonly (readonly [bytes: string, what: string])[] = [
  ['\x89HDF', 'HDF5 (Keras writes it)'],
  ['\x1f\x8b', 'a gzip archive: unpack it first'],
  ['BZh', 'a bzip2 archive: unpack it first'],
  ['7z\xbc\xaf', 'a 7z archive: unpack it first'],
  ['PK', 'a zip file without content'],
  ['\x93NUMPY', 'a NumPy array'],
  ['version https://git-lfs', 'a Git LFS pointer instead of the file: fetch it with git lfs pull'],
  ['\xff\xd8\xff', 'a JPEG image'],
  ['\x89PNG', 'a PNG image'],
  ['\x7fELF', 'a program'],
];

function describe(head: Buffer): string {
  const known = signatures.find(([bytes]) => startsWith(head, bytes));
  if (known) return known[1];
  if (head.length === 0) return 'an empty file';
  if (head.toString('latin1', 257, 262) === 'ustar') return 'a tar archive: unpack it first';
  const text = head.toString('latin1').trimStart().toLowerCase();
  if (text.startsWith('<!doctype html') || text.startsWith('<html')) {
    return 'a web page: the download ended at a log-in or an error';
  }
  return `the bytes ${head.toString('hex', 0, 8)}`;
}

function startsWith(head: Buffer, bytes: string): boolean {
  return head.toString('latin1', 0, bytes.length) === bytes;
}
