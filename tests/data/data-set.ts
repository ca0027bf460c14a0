import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import sharp from 'sharp';
import { temporaryFolder } from './temporary-folder.js';

/** What a file of a data set holds: a picture of that number, the same for the same number; or these very bytes. */
export type Content = number | string | { width: number; height: number };

/** Writes a data set; the files' names are without `.png`. */
export async function dataSet(t: TestContext, files: Readonly<Record<string, Content>>): Promise<string> {
  const folder = temporaryFolder(t);
  const drawn = new Map<number, string>();
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, `${name}.png`);
    mkdirSync(dirname(path), { recursive: true });
    const earlier = typeof content === 'number' ? drawn.get(content) : undefined;
    if (earlier !== undefined) copyFileSync(earlier, path);
    else if (typeof content === 'string') writeFileSync(path, content);
    else if (typeof content === 'number') {
      writeFileSync(path, await picture(40, 40, content));
      drawn.set(content, path);
    } else writeFileSync(path, await picture(content.width, content.height, 200));
  }
  return folder;
}

/** A number of pictures of a class, all different, counted from `first`. */
export function pictures(folder: string, amount: number, first: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: amount }, (_, i) => [`${folder}/${i}`, first + i]));
}

function picture(width: number, height: number, number: number): Promise<Buffer> {
  const background = { r: number & 0xff, g: (number >> 8) & 0xff, b: 0 };
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}
