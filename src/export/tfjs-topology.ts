// A graph in TensorFlow.js's words: GraphDef (tensorflow/core/framework/graph.proto) as JSON, without the constants' values,
// which it wants in files of their own.

import type { Attribute, Node, Tensor } from '../graph/graph.js';
import type { DType, Shape } from '../graph/types.js';

const typeNames: Readonly<Partial<Record<DType, string>>> = {
  float32: 'DT_FLOAT',
  int32: 'DT_INT32',
  bool: 'DT_BOOL',
};

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json };

export function topology(nodes: readonly Node[]): Json {
  return { node: nodes.map(nodeJson), library: {}, versions: { producer: 1882 } };
}

/** An input or output of the model, in the form of a signature. */
export function tensorInfo({ name, dtype, shape }: Tensor): Json {
  return { name, dtype: typeName(dtype), tensorShape: shapeJson(shape) };
}

function nodeJson({ name, op, inputs, attributes }: Node): Json {
  const attr = Object.entries(attributes).map(([key, attribute]) => [key, attributeJson(attribute)]);
  return { name, op, input: inputs.map(inputName), attr: Object.fromEntries(attr) };
}

const inputName = ({ node, index }: Tensor) => (index === 0 ? node.name : `${node.name}:${index}`);

function attributeJson(attribute: Attribute): Json {
  if ('tensor' in attribute) {
    const { dtype, shape } = attribute.tensor;
    return { tensor: { dtype: typeName(dtype), tensorShape: shapeJson(shape) } };
  }
  if ('dtype' in attribute) return { type: typeName(attribute.dtype) };
  if ('int' in attribute) return { i: String(attribute.int) };
  if ('float' in attribute) return { f: attribute.float };
  if ('bool' in attribute) return { b: attribute.bool };
  if ('string' in attribute) return { s: base64(attribute.string) };
  if ('strings' in attribute) return { list: { s: attribute.strings.map(base64) } };
  if ('shape' in attribute) return { shape: shapeJson(attribute.shape) };
  return { list: { i: attribute.ints.map(String) } };
}

const shapeJson = (shape: Shape) => ({ dim: shape.map((size) => ({ size: String(size ?? -1) })) });

const base64 = (text: string) => Buffer.from(text).toString('base64');

function typeName(dtype: DType): string {
  const name = typeNames[dtype];
  if (name === undefined) throw new Error(`internal: TensorFlow.js knows no ${dtype}`);
  return name;
}
