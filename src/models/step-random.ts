// Random numbers inside a training step, for dropout: keyed by the run's seed, the step and the layer, so that a run
// repeats itself and a resumed one goes on where it stopped.

import type { Graph, Tensor } from '../graph/graph.js';
import { cast } from '../graph/ops/array.js';
import { add, greaterEqual, mul } from '../graph/ops/math.js';
import { floatConstant, intConstant, placeholder, randomUniformTo } from '../graph/ops/source.js';
import type { DType, Shape } from '../graph/types.js';

/** Spreads the layers' numbers over all seeds (2³² over the golden ratio), so that no two runs share a layer's. */
const layerStride = 0x9e3779b1;

export class StepRandom {
  private readonly graph: Graph;
  private seed: Tensor | undefined;
  private layers = 0;

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** What must be fed at each step, int32 [2]: the run's seed and the step's number; nothing where no layer draws. */
  get input(): Tensor | undefined {
    return this.seed;
  }

  /**
   * For each element of `target`'s shape (an int32 vector, statically `shape`) 0 with probability `rate`, else
   * 1 / (1 - rate), so that the mean stays 1.
   */
  mask(rate: number, target: Tensor, shape: Shape, dtype: DType): Tensor {
    const { graph } = this;
    this.seed ??= placeholder(graph, 'random_seed', 'int32', [2]);
    const layer = intConstant(graph, [Math.imul(this.layers++, layerStride), 0]);
    const uniform = randomUniformTo(add(this.seed, layer), target, shape);
    const kept = cast(greaterEqual(uniform, floatConstant(graph, rate)), dtype);
    return mul(kept, cast(floatConstant(graph, 1 / (1 - rate)), dtype));
  }
}
