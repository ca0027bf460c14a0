// A trained network as an ONNX model (https://onnx.ai): one file that ONNX Runtime and others run.

import type { Tensor } from '../../graph/graph.js';
import { fuseBiasAndActivation } from '../../graph/passes/fuse.js';
import { countUses } from '../../graph/passes/rewrite.js';
import type { TrainedNetwork } from '../../inference/network.js';
import { version } from '../../version.js';
import { exportGraph } from '../export-graph.js';
import { describeInTexts, type InputKind } from '../network.js';
import { channelsFirst, inOrder, OnnxBuilder, type Placed } from './builder.js';
import { looseOf, type Translation } from './rule.js';
import { encodeModel, type OnnxModel, type OnnxType } from './schema.js';
import { rules } from './translate.js';

export type { OnnxModel };

export interface OnnxOptions {
  /** `bytes`: uint8 [N, crop, crop, 3] of 0 to 255; `floats`: float32 [N, 3, crop, crop], normalised. */
  input?: InputKind;
  /** float16 stores filters and matrices in half the bytes; they are widened when the model is loaded. */
  quantize?: 'none' | 'float16';
}

const opset = 17;

/** The bytes of a model with the input `pixels` and the output `probabilities`, float32 [N, classes]. */
export function exportOnnx(network: TrainedNetwork, options: OnnxOptions = {}): Uint8Array {
  return encodeModel(onnxModel(network, options));
}

export function onnxModel(
  network: TrainedNetwork,
  { input = 'bytes', quantize = 'none' }: OnnxOptions = {},
): OnnxModel {
  const graph = fuseBiasAndActivation(exportGraph(network, { input }));
  const builder = new OnnxBuilder({ quantize });
  const { crop } = network.preprocessing;
  const image = input === 'bytes' ? [crop, crop, 3] : [3, crop, crop];
  const type: OnnxType = input === 'bytes' ? 'uint8' : 'float32';
  const pixels = { name: 'pixels', order: input === 'bytes' ? inOrder(4) : channelsFirst };
  const { name } = translate(graph, builder, pixels);
  return {
    ...{ name: network.model, producer: { name: 'deep-cnn', version }, opset },
    ...{ nodes: builder.nodes, constants: builder.constants },
    inputs: [{ name: pixels.name, type, shape: ['N', ...image] }],
    outputs: [{ name, type: 'float32', shape: ['N', network.classes.length] }],
    metadata: describeInTexts(network, input),
  };
}

/** Adds all nodes that lead from `pixels` to the graph's `probabilities`, and returns where those are. */
function translate(
  graph: Readonly<Record<'pixels' | 'probabilities', Tensor>>,
  builder: OnnxBuilder,
  pixels: Placed,
): Placed {
  const places = new Map<Tensor, Placed>([[graph.pixels, pixels]]);
  const uses = countUses(graph);
  const translation: Translation = {
    builder,
    placed(tensor) {
      const known = places.get(tensor) ?? placeNode(tensor);
      places.set(tensor, known);
      return known;
    },
    inOrder: (tensor, order) => builder.inOrder(translation.placed(tensor), order),
    uses: (tensor) => uses.get(tensor) ?? 0,
  };
  /** Nodes are translated when somebody asks for them. */
  const placeNode = (tensor: Tensor): Placed => {
    const { node } = tensor;
    const loose = looseOf(tensor);
    if (loose) {
      const data = Float32Array.from(loose.data);
      return { name: builder.constant(node.name, { ...loose, data }), order: inOrder(loose.shape.length) };
    }
    const rule = rules[node.op];
    if (!rule) throw new Error(`internal: ONNX is not told how to compute ${node.op}`);
    const outputs = rule(node, translation);
    for (const [index, placed] of outputs.entries()) {
      const output = node.outputs[index];
      if (output) places.set(output, placed);
    }
    const found = places.get(tensor);
    if (!found) throw new Error(`internal: ${tensor} was not translated`);
    return found;
  };
  return translation.placed(graph.probabilities);
}
