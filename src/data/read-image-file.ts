import { close, constants, fstat, open, readFile } from 'node:fs';
import { promisify } from 'node:util';
import { Refusal } from './refusal.js';

// The callback forms take half the time of node:fs/promises.
const fileSystem = {
  open: promisify(open),
  status: promisify(fstat),
  read: promisify<number, Buffer>(readFile),
  close: promisify(close),
};

/** As in native/jpeg_decoder.cc. */
const maxFileBytes = 2 ** 30;

/** Reads a whole file. What is no file, such as a pipe, is refused and never waited for. */
export async function readImageFile(path: string): Promise<Buffer> {
  const descriptor = await fileSystem.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await fileSystem.status(descriptor);
    if (status.isDirectory()) throw new Refusal('a folder');
    if (!status.isFile()) throw new Refusal('no file but a pipe, a socket or a device');
    if (status.size > maxFileBytes) throw new Refusal('a file of more than 1 GiB');
    return await fileSystem.read(descriptor);
  } finally {
    await fileSystem.close(descriptor);
  }
}
