// Computing in float32 what a device has no good kernels of 16 bits for.

import type { Tensor } from '../graph.js';
import { cast } from './array.js';

/** What `compute` makes of tensors of one type, in float32 where their graph `widens` it, and of that type again. */
export function widened(inputs: readonly [Tensor, Tensor], compute: (a: Tensor, b: Tensor) => Tensor): Tensor {
  const [a, b] = inputs;
  if (!a.graph.widens.has(a.dtype)) return compute(a, b);
  return cast(compute(cast(a, 'float32'), cast(b, 'float32')), a.dtype);
}
