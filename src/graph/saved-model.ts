// Writes a graph as TensorFlow's SavedModel: one file, saved_model.pb, without variables or a saver, since values enter
// through placeholders (tensorflow/core/protobuf/saved_model.proto).

import {
  type AttrValueMessage,
  type GraphDefMessage,
  messages,
  type TensorShapeMessage,
} from '../tensorflow/protobuf.js';
import type { Attribute, Graph, Node, Tensor } from './graph.js';
import { dtypeCodes, type Shape } from './types.js';

/** One way to run a graph: what is fed and what comes out, by name. */
export interface Signature {
  inputs: Readonly<Record<string, Tensor>>;
  outputs: Readonly<Record<string, Tensor>>;
}

/** The version of the graph format that is written: TensorFlow 2.x reads it. */
const producerVersion = 1882;

/** The bytes of saved_model.pb. */
export function encodeSavedModel(graph: Graph, signatures: Readonly<Record<string, Signature>>): Uint8Array {
  const info = new messages.MetaGraphDef.MetaInfoDef();
  info.addTags('serve');
  const metaGraph = new messages.MetaGraphDef();
  metaGraph.setMetaInfoDef(info);
  metaGraph.setGraphDef(graphDef(graph));
  for (const [name, { inputs, outputs }] of Object.entries(signatures)) {
    const signature = new messages.SignatureDef();
    signature.setMethodName('tensorflow/serving/predict');
    for (const [key, tensor] of Object.entries(inputs)) signature.getInputsMap().set(key, tensorInfo(tensor));
    for (const [key, tensor] of Object.entries(outputs)) signature.getOutputsMap().set(key, tensorInfo(tensor));
    metaGraph.getSignatureDefMap().set(name, signature);
  }
  const savedModel = new messages.SavedModel();
  savedModel.setSavedModelSchemaVersion(1);
  savedModel.addMetaGraphs(metaGraph);
  return savedModel.serializeBinary();
}

function graphDef(graph: Graph): GraphDefMessage {
  const versions = new messages.VersionDef();
  versions.setProducer(producerVersion);
  versions.setMinConsumer(0);
  const def = new messages.GraphDef();
  def.setVersions(versions);
  for (const node of graph.nodes) def.addNode(nodeDef(node));
  return def;
}

function nodeDef(node: Node) {
  const def = new messages.NodeDef();
  def.setName(node.name);
  def.setOp(node.op);
  if (node.device !== undefined) def.setDevice(node.device);
  for (const { node: source, index } of node.inputs)
    def.addInput(index === 0 ? source.name : `${source.name}:${index}`);
  for (const control of new Set(node.controls)) def.addInput(`^${control.name}`);
  for (const [name, attribute] of Object.entries(node.attributes)) def.getAttrMap().set(name, attrValue(attribute));
  return def;
}

function attrValue(attribute: Attribute): AttrValueMessage {
  const value = new messages.AttrValue();
  if ('tensor' in attribute) {
    const tensor = new messages.Tensor();
    tensor.setDtype(dtypeCodes[attribute.tensor.dtype]);
    tensor.setTensorShape(tensorShape(attribute.tensor.shape));
    tensor.setTensorContent(attribute.bytes);
    value.setTensor(tensor);
  } else if ('dtype' in attribute) value.setType(dtypeCodes[attribute.dtype]);
  else if ('int' in attribute) value.setI(attribute.int);
  else if ('float' in attribute) value.setF(attribute.float);
  else if ('bool' in attribute) value.setB(attribute.bool);
  else if ('string' in attribute) value.setS(Buffer.from(attribute.string).toString('base64'));
  else if ('shape' in attribute) value.setShape(tensorShape(attribute.shape));
  else {
    const list = new messages.AttrValue.ListValue();
    if ('ints' in attribute) list.setIList([...attribute.ints]);
    else list.setSList(attribute.strings.map((text) => Buffer.from(text).toString('base64')));
    value.setList(list);
  }
  return value;
}

function tensorShape(shape: Shape): TensorShapeMessage {
  const message = new messages.TensorShape();
  for (const size of shape) {
    const dim = new messages.TensorShape.Dim();
    dim.setSize(size ?? -1);
    message.addDim(dim);
  }
  return message;
}

function tensorInfo(tensor: Tensor) {
  const info = new messages.TensorInfo();
  info.setName(tensor.name);
  info.setDtype(dtypeCodes[tensor.dtype]);
  info.setTensorShape(tensorShape(tensor.shape));
  return info;
}
