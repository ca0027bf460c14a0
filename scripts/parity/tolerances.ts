// How far two correct implementations may be apart. PyTorch against itself in another memory layout differs by the
// figures below; deep networks with batch norm on four images are chaotic after a step or two, so from there on only a
// gross error can be told from rounding.

export interface Tolerances {
  logits: number;
  gradients: number;
  /** L2 norms of the running statistics after five steps. */
  buffers: number;
  /** By step; a later step may be as far off as any step before it. */
  sgd: readonly number[];
  adam: readonly number[];
}

interface Noise {
  gradients: number;
  sgd: readonly number[];
  adam: readonly number[];
}

/** ResNet-50's and ResNeXt-50's. */
const deepNoise: Noise = { gradients: 9e-3, sgd: [2e-5, 1e-2, 2e-1], adam: [2e-5, 7e-3, 2e-2, 4e-2] };

/** ResNet-152's, for networks of a hundred layers and more. */
const deepestNoise: Noise = { gradients: 4e-2, sgd: [5e-5, 2e-2, 2e-1], adam: [5e-5, 1e-2, 9e-2] };

/** PyTorch's NCHW against its channels-last, against itself without oneDNN and on one thread, on two processors: largest differences. */
const noiseOfModels: Readonly<Record<string, Noise>> = {
  resnet101: deepestNoise,
  resnet152: deepestNoise,
  resnext101_32x8d: deepestNoise,
  resnext101_64x4d: deepestNoise,
  wide_resnet101_2: deepestNoise,
  resnet18: { gradients: 2e-3, sgd: [5e-7, 5e-6, 7e-5, 1e-4], adam: [5e-7, 2e-4, 2e-4, 3e-4] },
  mobilenet_v2: { gradients: 1e-2, sgd: [4e-6, 1e-3, 1e-2, 1e-2, 3e-2], adam: [4e-6, 3e-4, 2e-3] },
  densenet121: { gradients: 3e-3, sgd: [1e-7, 2e-6, 2e-4, 4e-4, 6e-4], adam: [1e-7, 1e-4, 3e-4, 2e-3] },
  efficientnet_b0: { gradients: 2e-5, sgd: [1e-6], adam: [3e-6] },
};

/** By the start of a name, measured on one model of each: networks without batch norm are not chaotic. */
const noiseOfFamilies: readonly (readonly [prefix: string, noise: Noise])[] = [
  // Several times convnext_tiny's.
  ['convnext_', { gradients: 2e-6, sgd: [1e-6], adam: [2e-6] }],
];

const factor = 5;
/** Reference files are rounded to six digits. */
const rounding = 2e-5;
const grossError = 0.3;

/** The tolerances for a model; one that is not listed is taken for a deep network with batch norm. */
export function tolerancesOf(model: string): Tolerances {
  const family = noiseOfFamilies.find(([prefix]) => model.startsWith(prefix));
  const noise = noiseOfModels[model] ?? family?.[1] ?? deepNoise;
  return {
    logits: 1e-4,
    gradients: widened(noise.gradients),
    buffers: widened(Math.max(...noise.sgd) / 2),
    sgd: growing(noise.sgd),
    adam: growing(noise.adam),
  };
}

function growing(noise: readonly number[], steps = 5): number[] {
  return Array.from({ length: steps }, (_, step) => widened(Math.max(...noise.slice(0, step + 1))));
}

const widened = (noise: number) => Math.min(noise * factor + rounding, grossError);
