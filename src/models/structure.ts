import { Graph } from '../graph/graph.js';
import { placeholder } from '../graph/ops/source.js';
import type { Model } from './model.js';
import { Module } from './module.js';
import { ParameterStore, Reads } from './parameters.js';

/**
 * A network as a graph that is not run: what it is made of. `crop`: side of the images in pixels, large enough for the
 * network.
 */
export function structureOf(
  model: Model,
  { classes, crop }: { classes: number; crop: number },
): { graph: Graph; parameters: ParameterStore } {
  const graph = new Graph();
  const parameters = new ParameterStore(graph);
  const root = new Module({ parameters, training: false, reads: new Reads(), statistics: [] });
  model.build(root, placeholder(graph, 'image', 'float32', [null, crop, crop, 3]), classes);
  return { graph, parameters };
}
