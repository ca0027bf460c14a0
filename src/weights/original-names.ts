// The original Python program took a torchvision ResNet apart: nn.Sequential(*list(resnet.children())[:-1]) became
// `pretrained`, and its own flatten and linear layer `my_new_layers`. Its files name layers by their positions therefore.

import { UserError } from '../errors.js';
import type { StateDict } from './state-dict.js';

/** The children of torchvision's ResNets that have weights: 2, 3 and 8 are the ReLU and the poolings. */
const children: Readonly<Record<string, string>> = {
  'pretrained.0': 'conv1',
  'pretrained.1': 'bn1',
  'pretrained.4': 'layer1',
  'pretrained.5': 'layer2',
  'pretrained.6': 'layer3',
  'pretrained.7': 'layer4',
  'my_new_layers.1': 'fc',
};

const originalName = /^((?:pretrained|my_new_layers)\.\d+)\.(.+)$/;

/**
 * Gives weights of the original program torchvision's names; others are left as they are. Throws a `UserError` where some
 * names are the original's and others aren't, or are those of a network that is no ResNet.
 */
export function mapOriginalNames(weights: StateDict, source: string): StateDict {
  if (![...weights.keys()].some((name) => originalName.test(name))) return weights;
  return new Map(
    [...weights].map(([name, tensor]) => {
      const [, child = '', rest = ''] = originalName.exec(name) ?? [];
      const layer = children[child];
      if (layer !== undefined) return [`${layer}.${rest}`, tensor];
      throw new UserError(`The weights in ${source} are the original program's, but not of a ResNet`, {
        expected: Object.keys(children).join(', '),
        found: name,
      });
    }),
  );
}
