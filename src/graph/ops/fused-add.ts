// The sum of two tensors in bfloat16 by our own kernel (src/tensorflow/native/kernels_add.h): TensorFlow's takes several times
// as long.

import type { Tensor } from '../graph.js';
import { apply, hasKernels, type NoOptions, type OpDefinition, type OpFamily, typeOf } from '../op.js';
import { sameShape } from '../types.js';

// d(a + b) = da + db
const fusedAddOp: OpDefinition<NoOptions> = {
  op: 'DeepCnnAdd',
  outputs: ([a, b]) => {
    if (!a || a.dtype !== b?.dtype || !sameShape(a.shape, b.shape)) {
      throw new Error(`internal: ${a} and ${b} can't be added up`);
    }
    return [a];
  },
  attributes: typeOf,
  gradient: (_, dy) => [dy, dy],
};

export const fusedAddOps: OpFamily = [fusedAddOp];

/** Whether the graph has this kernel, and it is the faster one for these: images of one shape in bfloat16. */
export const hasFusedAdd = (a: Tensor, b: Tensor): boolean =>
  a.dtype === 'bfloat16' && a.shape.length === 4 && sameShape(a.shape, b.shape) && hasKernels(a, fusedAddOps);

/** a + b, of one type and shape. */
export const fusedAdd = (a: Tensor, b: Tensor): Tensor => apply(fusedAddOp, [a, b], {});
