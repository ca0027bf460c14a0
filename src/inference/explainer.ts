// A folder of pictures that explain what a network has seen.

import { mkdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { Preprocessing } from '../data/preprocessing.js';
import { cannotWrite } from '../reporting/run-files.js';
import type { ImageResult } from './classify-images.js';
import { writeOverlay } from './overlay.js';

export interface Explainer {
  /**
   * Draws the pictures of a batch, numbered in the order of all images, and returns where each is; none for images that
   * could not be read or are not explained. Rejects with a UserError where the file system refuses.
   */
  draw(results: readonly ImageResult[]): Promise<(string | undefined)[]>;
}

/** Makes the folder if need be. Throws a UserError where the file system refuses. */
export async function createExplainer(folder: string, preprocessing: Preprocessing): Promise<Explainer> {
  const refuse = (error: unknown) => {
    throw cannotWrite(folder, error, '--explain_dir');
  };
  await mkdir(folder, { recursive: true }).catch(refuse);
  let done = 0;
  return {
    draw: (results) => {
      const first = done + 1;
      done += results.length;
      const pictures = results.map(async (result, index) => {
        if ('error' in result || !result.explanation) return undefined;
        const { path, explanation } = result;
        const output = join(folder, `${String(first + index).padStart(6, '0')}-${stemOf(path)}.jpg`);
        await writeOverlay({ path, preprocessing, explanation, output }).catch(refuse);
        return output;
      });
      return Promise.all(pictures);
    },
  };
}

/** Short enough for a name of at most 255 bytes, whatever its letters. */
const stemOf = (path: string) => [...basename(path, extname(path))].slice(0, 50).join('');
