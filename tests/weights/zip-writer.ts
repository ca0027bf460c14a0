// Zip files for tests, stored without compression as PyTorch does, and wrong where a test wants it.

import { op, uint } from './pickle-writer.js';

export interface ZipOptions {
  /** With the sizes and offsets in 64 bits. */
  wide?: boolean;
  comment?: Buffer;
  /** An entry that the table names again. */
  twice?: string;
  /** Further names for entries that are there. */
  aliases?: Readonly<Record<string, string>>;
  method?: number;
  flags?: number;
}

export function zipFile(entries: Readonly<Record<string, Buffer>>, options: ZipOptions = {}): Buffer {
  const { wide = false, comment = Buffer.alloc(0), method = 0, flags = 0 } = options;
  const contents: Buffer[] = [];
  const table: Buffer[] = [];
  const rows = new Map<string, (name: string) => Buffer>();
  let offset = 0;
  for (const [name, bytes] of Object.entries(entries)) {
    const at = offset;
    const common = (nameLength: number, extraLength: number, size: number) =>
      Buffer.concat([
        ...[20, flags, method, 0, 0].map((value) => uint(value, 2)),
        ...[0, size, size].map((value) => uint(value, 4)),
        uint(nameLength, 2),
        uint(extraLength, 2),
      ]);
    rows.set(name, (shownName) => {
      const wideExtra = Buffer.concat([
        op('\x99\x99\x01\x00x'),
        uint(1, 2),
        uint(24, 2),
        ...[bytes.length, bytes.length, at].map((value) => uint(value, 8)),
      ]);
      const extra = wide ? wideExtra : Buffer.alloc(0);
      return Buffer.concat([
        op('PK\x01\x02\x14\x00'),
        common(shownName.length, extra.length, wide ? 0xffffffff : bytes.length),
        Buffer.alloc(10),
        uint(wide ? 0xffffffff : at, 4),
        op(shownName),
        extra,
      ]);
    });
    // PyTorch pads with an extra field, so that contents are aligned.
    const local = Buffer.concat([
      op('PK\x03\x04'),
      common(name.length, 5, bytes.length),
      op(name),
      op('FB\x01\x00Z'),
      bytes,
    ]);
    contents.push(local);
    offset += local.length;
  }
  const named = [...Object.keys(entries), ...(options.twice ? [options.twice] : [])].map(
    (name) => [name, name] as const,
  );
  for (const [name, target] of [...named, ...Object.entries(options.aliases ?? {})]) {
    table.push(rows.get(target)?.(name) ?? Buffer.alloc(0));
  }
  const directory = Buffer.concat(table);
  const end = ending({ count: table.length, size: directory.length, offset, wide });
  return Buffer.concat([...contents, directory, ...end, uint(comment.length, 2), comment]);
}

interface Table {
  count: number;
  size: number;
  offset: number;
  wide: boolean;
}

/** The records that close a file, but for the length of the comment. */
function ending({ count, size, offset, wide }: Table): Buffer[] {
  const narrow = (value: number, bytes: 2 | 4) => uint(wide ? 2 ** (8 * bytes) - 1 : value, bytes);
  const end = Buffer.concat([
    op('PK\x05\x06\0\0\0\0'),
    narrow(count, 2),
    narrow(count, 2),
    narrow(size, 4),
    narrow(offset, 4),
  ]);
  if (!wide) return [end];
  const wideEnd = Buffer.concat([
    op('PK\x06\x06'),
    uint(44, 8),
    uint(45, 2),
    uint(45, 2),
    Buffer.alloc(8),
    ...[count, count, size, offset].map((value) => uint(value, 8)),
  ]);
  const locator = Buffer.concat([op('PK\x06\x07'), uint(0, 4), uint(offset + size, 8), uint(1, 4)]);
  return [wideEnd, locator, end];
}
