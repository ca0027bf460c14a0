// TensorFlow.js's graph model: model.json (topology, manifest of the weights, what the model is) and files of weights, as
// `tf.loadGraphModel` takes them in browsers and Node.

import type { Node, Tensor } from '../graph/graph.js';
import { constantOf } from '../graph/passes/constants.js';
import { fuseBiasAndActivation } from '../graph/passes/fuse.js';
import { normaliseFilters } from '../graph/passes/normalise-filters.js';
import { splitGroups } from '../graph/passes/split-groups.js';
import { turnMatrices } from '../graph/passes/turn-matrices.js';
import { padByZero } from '../graph/passes/zero-padding.js';
import type { TrainedNetwork } from '../inference/network.js';
import { version } from '../version.js';
import { type ClassMapNodes, findClassMaps } from './class-maps.js';
import { exportGraph } from './export-graph.js';
import { describe, type InputKind, type NetworkDescription } from './network.js';
import { tensorInfo, topology } from './tfjs-topology.js';
import { type Quantization, storeWeights } from './tfjs-weights.js';

export interface TfjsOptions {
  /** `bytes`: int32 [N, crop, crop, 3] of 0 to 255, as `tf.browser.fromPixels` makes them; `floats`: normalised. */
  input?: InputKind;
  quantize?: Quantization;
}

/** What `tf.loadGraphModel` gives back as the model's `metadata`. */
export interface GraphModelMetadata extends NetworkDescription {
  /** Where the network has such maps. */
  classMaps?: ClassMapNodes;
}

/** Files by name: the content of model.json, which the loader is given, and of the weights beside it. */
export type TfjsFiles = ReadonlyMap<string, Uint8Array>;

/** A network as a graph model with the input `pixels` and the output `probabilities`. */
export function exportTfjs(
  network: TrainedNetwork,
  { input = 'bytes', quantize = 'none' }: TfjsOptions = {},
): TfjsFiles {
  const { pixels, probabilities } = exportGraph(network, { input, byteType: 'int32' });
  return encodeTfjs(
    { inputs: { pixels }, outputs: { probabilities } },
    { quantize, metadata: describe(network, input) },
  );
}

/**
 * A graph of constants and standard ops as a graph model. `metadata` comes back as the loaded model's `metadata`.
 * Outputs come in the order given.
 */
function encodeTfjs(
  signature: { inputs: Readonly<Record<string, Tensor>>; outputs: Readonly<Record<string, Tensor>> },
  { quantize, metadata }: { quantize: Quantization; metadata: NetworkDescription },
): TfjsFiles {
  const names = { inputs: Object.keys(signature.inputs), outputs: Object.keys(signature.outputs) };
  const supported = padByZero(turnMatrices(splitGroups({ ...signature.inputs, ...signature.outputs })));
  const fused = fuseBiasAndActivation(supported);
  const made = quantize === 'uint8' ? normaliseFilters(fused) : fused;
  const infos = (keys: readonly string[]) =>
    Object.fromEntries(keys.flatMap((key) => (made[key] ? [[key, tensorInfo(made[key])]] : [])));
  const nodes = Object.values(made)[0]?.graph.nodes ?? [];
  const coarsest = coarsestStorage(nodes);
  const constants = nodes.flatMap(({ outputs: [tensor] }) => {
    const value = tensor && constantOf(tensor);
    return value ? [{ ...value, tensor, coarsest: coarsest.get(tensor) ?? 'float16' }] : [];
  });
  const { manifest, shards } = storeWeights(constants, quantize);
  const classMaps = findClassMaps(Object.values(made));
  const model = {
    format: 'graph-model',
    generatedBy: `deep-cnn ${version}`,
    convertedBy: null,
    signature: { inputs: infos(names.inputs), outputs: infos(names.outputs) },
    userDefinedMetadata: { ...metadata, ...(classMaps && { classMaps }) } satisfies GraphModelMetadata,
    modelTopology: topology(nodes),
    weightsManifest: manifest,
  };
  return new Map([['model.json', Buffer.from(JSON.stringify(model))], ...shards]);
}

/** Of what is a product of two constants, normalised filters and their scales; all else is for 16 bits at the least. */
function coarsestStorage(nodes: readonly Node[]): ReadonlyMap<Tensor, Quantization> {
  const products = nodes.filter(({ op, inputs }) => op === 'Mul' && inputs.every((input) => constantOf(input)));
  return new Map(
    products.flatMap(({ inputs: [filter, scale] }) =>
      filter && scale
        ? ([
            [filter, 'uint8'],
            [scale, 'none'],
          ] as const)
        : [],
    ),
  );
}
