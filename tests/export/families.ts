// One network of each family and three that most people take, with pictures as small as they allow, to be quick.

export interface Example {
  model: string;
  crop: number;
}

export const examples: readonly Example[] = [
  ...['resnet18', 'resnext50_32x4d', 'mobilenet_v2', 'mobilenet_v3_small', 'mnasnet0_5', 'shufflenet_v2_x0_5'],
  ...['efficientnet_lite0', 'efficientnet_b0', 'regnet_y_400mf', 'convnext_tiny', 'densenet121', 'squeezenet1_1'],
  ...['googlenet', 'alexnet'],
]
  .map((model) => ({ model, crop: 64 }))
  .concat({ model: 'inception_v3', crop: 75 });

/** Slow for their weights alone; all of their ops are in the others. */
export const heavyExamples: readonly Example[] = [{ model: 'vgg11_bn', crop: 32 }];
