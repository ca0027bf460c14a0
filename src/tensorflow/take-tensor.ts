// The way of a tensor out of TensorFlow.js. On its own, so that the types of whoever only runs graphs are without its types.

import type { HostTensor } from './host-tensor.js';
import type { Tensorflow } from './load.js';

type TfTensor = InstanceType<Tensorflow['Tensor']>;

/** Copies a tensor's values out and frees it. */
export function takeTensor(tensor: TfTensor): HostTensor {
  try {
    const data = tensor.dataSync();
    if (tensor.dtype === 'float32' && data instanceof Float32Array)
      return { dtype: 'float32', shape: tensor.shape, data };
    if (tensor.dtype === 'int32' && data instanceof Int32Array) return { dtype: 'int32', shape: tensor.shape, data };
    throw new Error(`internal: a graph returned ${tensor.dtype}, which cannot leave it`);
  } finally {
    tensor.dispose();
  }
}
