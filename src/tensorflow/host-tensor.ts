/** What TensorFlow.js can carry in and out of a graph. */
export interface HostTensor {
  dtype: 'float32' | 'int32';
  shape: readonly number[];
  data: Float32Array | Int32Array;
}
