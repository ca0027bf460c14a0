// From TensorFlow's ops to ONNX's (opset 17: https://onnx.ai/onnx/operators/), one rule an op.

import type { Node } from '../../graph/graph.js';
import { intsOf } from '../../graph/passes/constants.js';
import { channelsFirst, inOrder, type Placed } from './builder.js';
import { reshape } from './reshape.js';
import { inputOf, looseOf, type Rule, type Translation } from './rule.js';
import { averagePool, convolution, maxPool, padding } from './window.js';

const relu6 = (x: string, { builder }: Translation, name: string) => {
  const [low, high] = [0, 6].map((value) => builder.constant('limit', { shape: [], data: Float32Array.of(value) }));
  return builder.add('Clip', [x, low ?? '', high ?? ''], {}, name);
};

/** One number for each number. */
const unary =
  (apply: (x: string, t: Translation, name: string) => string): Rule =>
  (node, t) => {
    const { name, order } = t.placed(inputOf(node, 0));
    return [{ name: apply(name, t, node.name), order }];
  };

const same = (op: string): Rule => unary((x, { builder }, name) => builder.add(op, [x], {}, name));

/** Two tensors, one of which may be broadcast. */
const binary =
  (op: string): Rule =>
  (node, t) => {
    const operands = [inputOf(node, 0), inputOf(node, 1)];
    const rank = Math.max(...operands.map(({ shape }) => shape.length));
    const orders = operands.flatMap((x) => (looseOf(x) || x.shape.length < rank ? [] : [t.placed(x).order]));
    const isEqual = operands.every((x) => looseOf(x) || x.shape.length === rank);
    // Where they differ, one of them came from a convolution and is likely to go into the next.
    const order = (isEqual && orders.find((found) => found.some((axis, i) => axis !== i))) || inOrder(rank);
    const names = operands.map((x) => {
      const loose = looseOf(x);
      return loose ? t.builder.broadcast(x.node.name, loose, order) : t.inOrder(x, order.slice(0, x.shape.length));
    });
    return [{ name: t.builder.add(op, names, {}, node.name), order }];
  };

const reduction =
  (op: string): Rule =>
  (node, t) => {
    const x = t.placed(inputOf(node, 0));
    const axes = [...(intsOf(inputOf(node, 1)) ?? [])];
    const keep = node.attributes['keep_dims'];
    const keeps = keep !== undefined && 'bool' in keep && keep.bool;
    const lying = axes.map((axis) => x.order.indexOf(axis)).sort((a, b) => a - b);
    const attributes = { axes: { ints: lying }, keepdims: { int: keeps ? 1 : 0 } };
    const name = t.builder.add(op, [x.name], attributes, node.name);
    if (keeps) return [{ name, order: x.order }];
    const left = x.order.filter((axis) => !axes.includes(axis));
    const rest = [...left].sort((a, b) => a - b);
    return [{ name, order: left.map((axis) => rest.indexOf(axis)) }];
  };

const softmax =
  (op: string): Rule =>
  (node, t) => {
    const x = t.placed(inputOf(node, 0));
    const axis = x.order.indexOf(x.order.length - 1);
    return [{ name: t.builder.add(op, [x.name], { axis: { int: axis } }, node.name), order: x.order }];
  };

const concat: Rule = (node, t) => {
  const parts = node.inputs.slice(0, -1);
  const axis = intsOf(inputOf(node, parts.length))?.[0] ?? 0;
  const { order } = t.placed(inputOf(node, 0));
  const names = parts.map((part) => t.inOrder(part, order));
  return [{ name: t.builder.add('Concat', names, { axis: { int: order.indexOf(axis) } }, node.name), order }];
};

const split: Rule = (node, t) => {
  const axis = intsOf(inputOf(node, 0))?.[0] ?? 0;
  const { name, order } = t.placed(inputOf(node, 1));
  const attributes = { axis: { int: order.indexOf(axis) } };
  const parts = { name: node.name, outputs: node.outputs.length };
  return t.builder.addAll('Split', [name], attributes, parts).map((part) => ({ name: part, order }));
};

/** Only the note of where the axes are changes. */
const transpose: Rule = (node, t) => {
  const { name, order } = t.placed(inputOf(node, 0));
  const permutation = intsOf(inputOf(node, 1));
  if (!permutation) throw new Error(`internal: ${node.name} is turned in no known way`);
  return [{ name, order: order.map((axis) => permutation.indexOf(axis)) }];
};

/** A B, either of which may be transposed, with a sum and an activation that were fused with it. */
const matMul: Rule = (node, t) => {
  const isTransposed = ['transpose_a', 'transpose_b'].map((key) => {
    const found = node.attributes[key];
    return found !== undefined && 'bool' in found && found.bool ? 1 : 0;
  });
  const attributes = { transA: { int: isTransposed[0] ?? 0 }, transB: { int: isTransposed[1] ?? 0 } };
  const names = node.inputs.map((x) => t.inOrder(x, inOrder(x.shape.length)));
  return [activated(node, t, { name: t.builder.add('Gemm', names, attributes, node.name), order: [0, 1] })];
};

const conv: Rule = (node, t) => [activated(node, t, convolution(node, t))];

/** Applies what was fused with a node beside its bias. */
function activated(node: Node, t: Translation, { name, order }: Placed): Placed {
  const fused = node.attributes['fused_ops'];
  const [, activation] = fused && 'strings' in fused ? fused.strings : [];
  if (activation === undefined) return { name, order };
  const own = `${node.name}/${activation}`;
  return { name: activation === 'Relu6' ? relu6(name, t, own) : t.builder.add(activation, [name], {}, own), order };
}

const batchNorm: Rule = (node, t) => {
  const { epsilon } = node.attributes;
  const names = node.inputs.map((x, index) => t.inOrder(x, index === 0 ? channelsFirst : [0]));
  const attributes = { epsilon: { float: epsilon && 'float' in epsilon ? epsilon.float : 0 } };
  return [{ name: t.builder.add('BatchNormalization', names, attributes, node.name), order: channelsFirst }];
};

export const rules: Readonly<Record<string, Rule>> = {
  Identity: same('Identity'),
  Cast: unary((x, { builder }, name) => builder.add('Cast', [x], { to: { int: 1 } }, name)),
  Relu: same('Relu'),
  Relu6: unary(relu6),
  Sigmoid: same('Sigmoid'),
  Erf: same('Erf'),
  Exp: same('Exp'),
  Square: unary((x, { builder }, name) => builder.add('Mul', [x, x], {}, name)),
  Rsqrt: unary((x, { builder }, name) => builder.add('Reciprocal', [builder.add('Sqrt', [x])], {}, name)),
  AddV2: binary('Add'),
  BiasAdd: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  RealDiv: binary('Div'),
  Mean: reduction('ReduceMean'),
  Softmax: softmax('Softmax'),
  LogSoftmax: softmax('LogSoftmax'),
  ConcatV2: concat,
  Split: split,
  Transpose: transpose,
  Reshape: reshape,
  MatMul: matMul,
  _FusedMatMul: matMul,
  Conv2D: conv,
  _FusedConv2D: conv,
  DepthwiseConv2dNative: conv,
  FusedDepthwiseConv2dNative: conv,
  FusedBatchNormV3: batchNorm,
  PadV2: padding,
  MaxPool: maxPool,
  AvgPool: averagePool,
};
