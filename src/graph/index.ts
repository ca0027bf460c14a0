// The graph builder as a library: `deep-cnn/graph`. A graph is built from operations, differentiated, and run by a session.

export type { HalfType } from '../tensorflow/processor.js';
export { type LoadedModel, openRuntime, type RuntimeOptions, type SavedModelBytes } from '../tensorflow/runtime.js';
export { gradients } from './autodiff.js';
export {
  type Attribute,
  type Attributes,
  type BackwardFunction,
  Graph,
  type GraphOptions,
  type Node,
  type NodeSpec,
  Tensor,
} from './graph.js';
export { erf, exp, hardSigmoid, hardSwish, relu, relu6, sigmoid, silu } from './ops/activation.js';
export {
  broadcastTo,
  cast,
  concat,
  type Paddings,
  pad,
  reshape,
  reverse,
  shapeOf,
  size,
  slice,
  split,
  transpose,
} from './ops/array.js';
export { addBias, type ConvOptions, conv2d } from './ops/conv.js';
export { type DepthwiseOptions, depthwiseConv2d } from './ops/depthwise.js';
export { gelu } from './ops/gelu.js';
export { type LayerNormInputs, type LayerNormOptions, layerNorm } from './ops/layer-norm.js';
export { crossEntropy, inTopK, logSoftmax, oneHot } from './ops/loss.js';
export {
  add,
  div,
  finite,
  greaterEqual,
  halfSquares,
  matMul,
  mean,
  mul,
  neg,
  rsqrt,
  sqrt,
  square,
  sub,
  sum,
} from './ops/math.js';
export { type BatchNormInputs, batchNormInference, batchNormTraining } from './ops/norm.js';
export { avgPool, maxPool, type PoolOptions } from './ops/pool.js';
export {
  floatConstant,
  identity,
  intConstant,
  placeholder,
  randomNormal,
  randomUniform,
} from './ops/source.js';
export { Variable } from './ops/state.js';
export { encodeSavedModel, type Signature } from './saved-model.js';
export { float32, type HostTensor, int32, openSession, outputOf, type Runtime, type Session } from './session.js';
export type { Dimension, DType, FloatType, Shape, TensorType } from './types.js';
