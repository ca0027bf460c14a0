// Tar files for tests (POSIX ustar), with folders for all paths, as `tar -c` writes them.

/** A tar file of these contents by path. A path that ends in `/` is an empty folder. */
export function tarFile(files: Readonly<Record<string, string>>): Buffer {
  const folders = new Set<string>();
  const entries: Buffer[] = [];
  const addFolders = (path: string) => {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const folder = path.slice(0, at + 1);
      if (!folders.has(folder)) entries.push(header(folder, 0));
      folders.add(folder);
    }
  };
  for (const [path, text] of Object.entries(files)) {
    addFolders(path);
    if (path.endsWith('/')) continue;
    const data = Buffer.from(text);
    entries.push(header(path, data.length), data, Buffer.alloc(-data.length & 511));
  }
  return Buffer.concat([...entries, Buffer.alloc(1024)]);
}

function header(path: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  const isFolder = path.endsWith('/');
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(path, 0);
  block.write(octal(isFolder ? 0o755 : 0o644, 7), 100);
  block.write(octal(12345, 7), 108);
  block.write(octal(12345, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(1_000_000_000, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write(isFolder ? '5' : '0', 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)} `, 148);
  return block;
}
