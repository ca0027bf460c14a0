import { readFileSync } from 'node:fs';

/** A file's text, or nothing where it can't be read: for what the kernel tells in /proc and /sys, here or not. */
export function readableText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
