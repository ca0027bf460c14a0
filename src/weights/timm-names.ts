// timm's repositories on the Hugging Face hub hold torchvision's VGGs, RegNets and EfficientNets under names of timm's.
// Which are which follows from the names alone; whether they then fit a network is not decided here.

import { elementCount } from '../graph/types.js';
import type { StateDict, StoredTensor } from './state-dict.js';

type Rename = (name: string) => string;

/** Gives weights that have timm's names torchvision's; all others are left as they are. */
export function mapTimmNames(weights: StateDict): StateDict {
  const rename = renameFor(weights);
  if (!rename) return weights;
  return new Map([...weights].map(([name, tensor]) => [rename(name), asLinear(name, tensor)]));
}

function renameFor(weights: StateDict): Rename | undefined {
  if (weights.has('pre_logits.fc1.weight')) return vggName;
  if (weights.has('s1.b1.conv1.conv.weight')) return regnetName;
  // EfficientNet-Lite, which torchvision lacks, keeps timm's names; it has no squeeze-and-excitation.
  if (weights.has('blocks.0.0.se.conv_reduce.weight')) return efficientnetNames(weights);
  return undefined;
}

const vggLayers: Readonly<Record<string, string>> = {
  'pre_logits.fc1': 'classifier.0',
  'pre_logits.fc2': 'classifier.3',
  'head.fc': 'classifier.6',
};

const vggName: Rename = (name) => renamed(name, (layer) => vggLayers[layer]);

/** timm's VGG has convolutions over the whole image where torchvision's has linear layers; their values lie alike. */
function asLinear(name: string, { shape, data }: StoredTensor): StoredTensor {
  if (!/^pre_logits\.fc[12]\.weight$/.test(name)) return { shape, data };
  const [features = 0, ...inputs] = shape;
  return { shape: [features, elementCount(inputs)], data };
}

/** The parts of a RegNet's block; `conv1.conv` is `f.a.0` and `conv1.bn` is `f.a.1`. */
const regnetParts: Readonly<Record<string, string>> = {
  conv1: 'f.a',
  conv2: 'f.b',
  conv3: 'f.c',
  downsample: 'proj',
  'se.fc1': 'f.se.fc1',
  'se.fc2': 'f.se.fc2',
};

const regnetName: Rename = (name) =>
  renamed(name, (layer) => {
    if (layer === 'head.fc') return 'fc';
    const numbered = layer.replace(/\.conv$/, '.0').replace(/\.bn$/, '.1');
    const [, stage, block, part = '', rest = ''] =
      /^s(\d+)\.b(\d+)\.(conv[123]|downsample|se\.fc[12])(.*)$/.exec(numbered) ?? [];
    if (stage === undefined) return numbered;
    return `trunk_output.block${stage}.block${stage}-${Number(block) - 1}.${regnetParts[part]}${rest}`;
  });

const efficientnetEnds: Readonly<Record<string, string>> = {
  conv_stem: 'features.0.0',
  bn1: 'features.0.1',
  conv_head: 'features.8.0',
  bn2: 'features.8.1',
  classifier: 'classifier.1',
};

const expandingBlock: Readonly<Record<string, string>> = {
  conv_pw: '0.0',
  bn1: '0.1',
  conv_dw: '1.0',
  bn2: '1.1',
  'se.conv_reduce': '2.fc1',
  'se.conv_expand': '2.fc2',
  conv_pwl: '3.0',
  bn3: '3.1',
};

/** The first stage's, which do not widen their input first. */
const plainBlock: Readonly<Record<string, string>> = {
  conv_dw: '0.0',
  bn1: '0.1',
  'se.conv_reduce': '1.fc1',
  'se.conv_expand': '1.fc2',
  conv_pw: '2.0',
  bn2: '2.1',
};

function efficientnetNames(weights: StateDict): Rename {
  return (name) =>
    renamed(name, (layer) => {
      const [, stage, block, part = ''] = /^blocks\.(\d+)\.(\d+)\.(.+)$/.exec(layer) ?? [];
      if (stage === undefined) return efficientnetEnds[layer];
      const parts = weights.has(`blocks.${stage}.${block}.conv_pwl.weight`) ? expandingBlock : plainBlock;
      const place = Object.hasOwn(parts, part) ? parts[part] : undefined;
      return place && `features.${Number(stage) + 1}.${block}.block.${place}`;
    });
}

/** Renames the layer in front of a tensor's last part (`weight`, `running_mean`); a layer without a new name keeps its. */
function renamed(name: string, layerName: (layer: string) => string | undefined): string {
  const dot = name.lastIndexOf('.');
  const layer = layerName(name.slice(0, dot)) ?? name.slice(0, dot);
  return `${layer}${name.slice(dot)}`;
}
