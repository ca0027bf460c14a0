// The protobuf classes of TensorFlow's graph format, as tfjs-node-gpu ships them (generated, untyped). Only what a
// SavedModel needs is given a type here. `bytes` fields take base64 strings, or bytes.

import { createRequire } from 'node:module';

interface ProtoMap<V> {
  set(key: string, value: V): void;
}

interface DimMessage {
  setSize(size: number): void;
}

interface TensorShapeMessage {
  addDim(dim: DimMessage): void;
}

interface TensorMessage {
  setDtype(dtype: number): void;
  setTensorShape(shape: TensorShapeMessage): void;
  setTensorContent(bytes: Uint8Array): void;
}

interface ListValueMessage {
  setIList(values: number[]): void;
  setSList(base64: string[]): void;
  setTypeList(values: number[]): void;
  addShape(shape: TensorShapeMessage): void;
}

interface AttrValueMessage {
  setS(base64: string): void;
  setI(value: number): void;
  setF(value: number): void;
  setB(value: boolean): void;
  setType(dtype: number): void;
  setShape(shape: TensorShapeMessage): void;
  setTensor(tensor: TensorMessage): void;
  setList(list: ListValueMessage): void;
}

interface NodeDefMessage {
  setName(name: string): void;
  setOp(op: string): void;
  setDevice(device: string): void;
  addInput(input: string): void;
  getAttrMap(): ProtoMap<AttrValueMessage>;
}

interface VersionDefMessage {
  setProducer(version: number): void;
  setMinConsumer(version: number): void;
}

interface GraphDefMessage {
  addNode(node: NodeDefMessage): void;
  setVersions(versions: VersionDefMessage): void;
}

interface TensorInfoMessage {
  setName(name: string): void;
  setDtype(dtype: number): void;
  setTensorShape(shape: TensorShapeMessage): void;
}

interface SignatureDefMessage {
  setMethodName(name: string): void;
  getInputsMap(): ProtoMap<TensorInfoMessage>;
  getOutputsMap(): ProtoMap<TensorInfoMessage>;
}

interface MetaInfoDefMessage {
  addTags(tag: string): void;
}

interface MetaGraphDefMessage {
  setMetaInfoDef(info: MetaInfoDefMessage): void;
  setGraphDef(graph: GraphDefMessage): void;
  getSignatureDefMap(): ProtoMap<SignatureDefMessage>;
}

interface SavedModelMessage {
  setSavedModelSchemaVersion(version: number): void;
  addMetaGraphs(metaGraph: MetaGraphDefMessage): void;
  serializeBinary(): Uint8Array;
}

interface Messages {
  TensorShape: (new () => TensorShapeMessage) & { Dim: new () => DimMessage };
  Tensor: new () => TensorMessage;
  AttrValue: (new () => AttrValueMessage) & { ListValue: new () => ListValueMessage };
  NodeDef: new () => NodeDefMessage;
  VersionDef: new () => VersionDefMessage;
  GraphDef: new () => GraphDefMessage;
  TensorInfo: new () => TensorInfoMessage;
  SignatureDef: new () => SignatureDefMessage;
  MetaGraphDef: (new () => MetaGraphDefMessage) & { MetaInfoDef: new () => MetaInfoDefMessage };
  SavedModel: new () => SavedModelMessage;
}

export type { AttrValueMessage, GraphDefMessage, TensorShapeMessage };

const require = createRequire(import.meta.url);

export const messages = require('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js') as Messages;
