// The part of ONNX's file format that is written (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), as data: field
// names, types and numbers are the standard's.

import protobuf from 'protobufjs';

const field = (type: string, id: number) => ({ type, id });
const repeated = (type: string, id: number) => ({ rule: 'repeated', type, id });

const root = protobuf.Root.fromJSON({
  nested: {
    onnx: {
      nested: {
        ModelProto: {
          fields: {
            ir_version: field('int64', 1),
            producer_name: field('string', 2),
            producer_version: field('string', 3),
            graph: field('GraphProto', 7),
            opset_import: repeated('OperatorSetIdProto', 8),
            metadata_props: repeated('StringStringEntryProto', 14),
          },
        },
        OperatorSetIdProto: { fields: { domain: field('string', 1), version: field('int64', 2) } },
        StringStringEntryProto: { fields: { key: field('string', 1), value: field('string', 2) } },
        GraphProto: {
          fields: {
            node: repeated('NodeProto', 1),
            name: field('string', 2),
            initializer: repeated('TensorProto', 5),
            input: repeated('ValueInfoProto', 11),
            output: repeated('ValueInfoProto', 12),
          },
        },
        NodeProto: {
          fields: {
            input: repeated('string', 1),
            output: repeated('string', 2),
            name: field('string', 3),
            op_type: field('string', 4),
            attribute: repeated('AttributeProto', 5),
          },
        },
        AttributeProto: {
          fields: {
            name: field('string', 1),
            f: field('float', 2),
            i: field('int64', 3),
            ints: repeated('int64', 8),
            type: field('int32', 20),
          },
        },
        TensorProto: {
          fields: {
            dims: repeated('int64', 1),
            data_type: field('int32', 2),
            name: field('string', 8),
            raw_data: field('bytes', 9),
          },
        },
        ValueInfoProto: { fields: { name: field('string', 1), type: field('TypeProto', 2) } },
        TypeProto: {
          fields: { tensor_type: field('Tensor', 1) },
          nested: { Tensor: { fields: { elem_type: field('int32', 1), shape: field('TensorShapeProto', 2) } } },
        },
        TensorShapeProto: {
          fields: { dim: repeated('Dimension', 1) },
          nested: { Dimension: { fields: { dim_value: field('int64', 1), dim_param: field('string', 2) } } },
        },
      },
    },
  },
});

/** Numbers of TensorProto.DataType. */
const dataTypes = { float32: 1, uint8: 2, int64: 7, float16: 10 } as const;

export type OnnxType = keyof typeof dataTypes;

/** A node's attribute. */
export type OnnxAttribute = { float: number } | { int: number } | { ints: readonly number[] };

export interface OnnxNode {
  name: string;
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxTensor {
  name: string;
  type: OnnxType;
  shape: readonly number[];
  /** Row-major, little-endian. */
  bytes: Uint8Array;
}

export interface OnnxValue {
  name: string;
  type: OnnxType;
  /** A number, or the name of a size that the running model is told. */
  shape: readonly (number | string)[];
}

export interface OnnxModel {
  name: string;
  producer: { name: string; version: string };
  opset: number;
  nodes: readonly OnnxNode[];
  constants: readonly OnnxTensor[];
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
  metadata: Readonly<Record<string, string>>;
}

/** The version of the file format that came with opset 17. */
const irVersion = 8;

/** The bytes of a .onnx file. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const type = root.lookupType('onnx.ModelProto');
  const message = {
    ir_version: irVersion,
    producer_name: model.producer.name,
    producer_version: model.producer.version,
    opset_import: [{ domain: '', version: model.opset }],
    metadata_props: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: model.name,
      node: model.nodes.map(({ name, op, inputs, outputs, attributes }) => ({
        ...{ name, op_type: op, input: inputs, output: outputs },
        attribute: Object.entries(attributes).map(attributeMessage),
      })),
      initializer: model.constants.map(({ name, type, shape, bytes }) => ({
        ...{ name, dims: shape, data_type: dataTypes[type], raw_data: bytes },
      })),
      input: model.inputs.map(valueMessage),
      output: model.outputs.map(valueMessage),
    },
  };
  return type.encode(message).finish();
}

/** Numbers of AttributeProto.AttributeType stand beside the values. */
function attributeMessage([name, attribute]: readonly [string, OnnxAttribute]) {
  if ('float' in attribute) return { name, f: attribute.float, type: 1 };
  if ('int' in attribute) return { name, i: attribute.int, type: 2 };
  return { name, ints: attribute.ints, type: 7 };
}

function valueMessage({ name, type, shape }: OnnxValue) {
  const dim = shape.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size }));
  return { name, type: { tensor_type: { elem_type: dataTypes[type], shape: { dim } } } };
}
