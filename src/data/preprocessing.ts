// How an image becomes a network's input: torchvision's Resize and CenterCrop, then (x / 255 - mean) / std. The data
// pipeline does the first two, the graph the last.

/** The filters of Pillow's resize that published weights were trained with. */
export type Interpolation = 'bilinear' | 'bicubic';

/** One way of preparing images. Sizes in pixels; mean and std are per channel (red, green, blue) for values in 0 .. 1. */
export interface Preprocessing {
  /** Length of the shorter side after resizing. */
  resize: number;
  /** Side of the square cut from the centre; at most `resize`. */
  crop: number;
  interpolation: Interpolation;
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
  /** Turn images as their orientation tag says. Without it they are not, as in torchvision. */
  exif?: boolean;
}

const imageNet = { resize: 256, crop: 224, interpolation: 'bilinear' } as const;

/** The choices of `--pre`. */
export const preprocessings: Readonly<Record<'resnet' | 'inception' | 'none', Preprocessing>> = {
  resnet: { ...imageNet, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  inception: { ...imageNet, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  none: { ...imageNet, mean: [0, 0, 0], std: [1, 1, 1] },
};
