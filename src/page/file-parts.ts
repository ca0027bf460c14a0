// What the reader of each format makes of a file.

import type { ImageNotes } from '../data/orientation.js';
import type { Bytes } from './file-edits.js';

/** A canvas of so many pixels, and where the picture stands on it. */
export interface Canvas {
  width: number;
  height: number;
  left: number;
  top: number;
}

/** What is made of a file of some format. */
export interface FileParts {
  /** The file, where it is another one. */
  file?: Bytes;
  /** What may say how it is to be turned, unless that is known. */
  notes?: ImageNotes;
  orientation?: number;
  isTurnedByBrowsers?: boolean;
  background?: readonly [red: number, green: number, blue: number];
  canvas?: Canvas;
}
