// AlexNet in the form that runs on one GPU: Krizhevsky 2014 (arXiv:1404.5997).

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { knownDimension } from '../graph/types.js';
import type { ModelFamily } from './model.js';
import { adaptiveAveragePool, type ConvLayer, flatten, type Module, maxPool2d, uniformByFanIn } from './module.js';

const dropoutRate = 0.5;

function build(m: Module, images: Tensor, classes: number): Tensor {
  const features = m.child('features');
  let x = conv(features, '0', images, { channels: 64, kernel: 11, stride: 4, padding: 2 });
  x = maxPool2d(x, { kernel: 3, stride: 2 });
  x = conv(features, '3', x, { channels: 192, kernel: 5, padding: 2 });
  x = maxPool2d(x, { kernel: 3, stride: 2 });
  x = conv(features, '6', x, { channels: 384, kernel: 3, padding: 1 });
  x = conv(features, '8', x, { channels: 256, kernel: 3, padding: 1 });
  x = conv(features, '10', x, { channels: 256, kernel: 3, padding: 1 });
  x = maxPool2d(x, { kernel: 3, stride: 2 });

  const classifier = m.child('classifier');
  x = classifier.dropout(flatten(adaptiveAveragePool(x, 6)), dropoutRate);
  x = classifier.dropout(relu(classifier.linear('1', x, 4096)), dropoutRate);
  return classifier.linear('6', relu(classifier.linear('4', x, 4096)), classes);
}

function conv(m: Module, name: string, x: Tensor, layer: ConvLayer & { kernel: number }): Tensor {
  const initializer = uniformByFanIn(knownDimension(x.shape, 3) * layer.kernel ** 2);
  return relu(m.conv(name, x, { ...layer, bias: true, initializer, biasInitializer: initializer }));
}

export const alexnets = { alexnet: { build, head: 'classifier.6' } } satisfies ModelFamily;
