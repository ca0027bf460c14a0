// What the page and its worker, which runs the network, say to each other.

import type { GraphModelMetadata } from '../export/tfjs.js';

/** What can compute in a browser, the fastest first. */
export const backendNames = ['webgpu', 'webgl', 'wasm'] as const;
export type BackendName = (typeof backendNames)[number];

export interface OpenRequest {
  kind: 'open';
  /** The fastest that works, unless one is wanted. */
  backend: BackendName | undefined;
}

export interface ClassifyRequest {
  kind: 'classify';
  id: number;
  /** An image file, or a picture of the camera, which becomes the worker's. */
  image: Blob | ImageBitmap;
  /** Side of the picture that is wanted for the screen, in pixels; none unless told. */
  pictureSide?: number;
}

export type Request = OpenRequest | ClassifyRequest;

export interface Opened {
  kind: 'opened';
  network: GraphModelMetadata;
  backend: BackendName;
  /** Those that the browser has. */
  available: readonly BackendName[];
}

/** How much of the network has arrived, in bytes. */
export interface Progress {
  kind: 'progress';
  arrived: number;
  all: number;
}

export interface Result {
  kind: 'result';
  id: number;
  /** In the order of the classes. */
  probabilities: Float32Array;
  /** Of running the network, without reading the image. */
  milliseconds: number;
  backend: BackendName;
  /** What the network sees, at the size that was wanted. */
  picture: ImageBitmap | undefined;
  /** Why the answer may be another than the network's own: a sentence for the user. */
  note: string | undefined;
  /** Of the most likely classes, where the network has such maps. */
  maps: readonly ClassMap[];
}

/** Where in an image something speaks for a class. */
export interface ClassMap {
  /** The index of the class. */
  category: number;
  width: number;
  height: number;
  /** Rows of numbers; what is above zero speaks for the class. */
  values: Float32Array;
}

export interface Failure {
  kind: 'failure';
  /** Of the image that failed; undefined where the network can't be run at all. */
  id: number | undefined;
  /** One sentence for the user. */
  message: string;
}

export type Answer = Opened | Progress | Result | Failure;

/** Classes that a result shows at first, and for which there are maps. */
export const shownClasses = 5;

/** Indices of the largest numbers, the largest first. */
export function largest(values: ArrayLike<number>, count: number): number[] {
  return Array.from(values, (_, index) => index)
    .sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0))
    .slice(0, count);
}
