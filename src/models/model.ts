import type { Tensor } from '../graph/graph.js';
import type { Module } from './module.js';

/** An architecture. What is merely known about its weights belongs elsewhere. */
export interface Model {
  /** Images [N, H, W, 3], normalised -> logits [N, classes]. */
  build(m: Module, images: Tensor, classes: number): Tensor;
  /** The layer whose size follows the classes, as torchvision names it. */
  readonly head: string;
}

/** The models of one paper, by torchvision's names. */
export type ModelFamily = Readonly<Record<string, Model>>;
