// Random access to a file that may be cut short, absurdly large or no file at all.

import { type FileHandle, open, stat } from 'node:fs/promises';
import { UserError } from '../errors.js';
import { brokenFile } from './file-errors.js';

/** One system call reads at most 2 GiB. */
const maxReadBytes = 2 ** 30;

export class FileBytes {
  readonly path: string;
  /** In bytes, when the file was opened. */
  readonly size: number;
  private readonly handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.handle = handle;
  }

  /**
   * Opens a file for as long as `use` runs. Throws a `UserError` where it can't be opened or is a folder, a pipe or the
   * like (which would block).
   */
  static async withFile<T>(path: string, use: (file: FileBytes) => Promise<T>): Promise<T> {
    const refuse = (error: NodeJS.ErrnoException) => {
      throw new UserError(`The weights file ${path} can't be opened`, { found: error.message }, { cause: error });
    };
    const kind = await stat(path).catch(refuse);
    if (!kind.isFile()) {
      const found = kind.isDirectory() ? 'a folder' : 'a device or a pipe';
      throw new UserError(`The weights file ${path} can't be read`, { expected: 'a file', found });
    }
    const handle = await open(path, 'r').catch(refuse);
    try {
      return await use(new FileBytes(path, (await handle.stat()).size, handle));
    } finally {
      await handle.close();
    }
  }

  /** Bytes in memory of their own, aligned for any typed array. Throws a `UserError` where they lie past the end. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw brokenFile(this.path, `${length} bytes wanted at byte ${offset} of ${this.size}`);
    }
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const wanted = Math.min(length - done, maxReadBytes);
      const { bytesRead } = await this.handle.read(bytes, done, wanted, offset + done);
      if (bytesRead === 0) throw brokenFile(this.path, `its end at byte ${offset + done}, while it was read`);
      done += bytesRead;
    }
    return bytes;
  }
}
