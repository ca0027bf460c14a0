// Residual networks: He et al. 2015 (arXiv:1512.03385) in torchvision's form, in which a bottleneck's stride is at its
// 3x3 convolution; ResNeXt: Xie et al. 2016 (arXiv:1611.05431); wide ResNets: Zagoruyko and Komodakis 2016
// (arXiv:1605.07146).

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { knownDimension } from '../graph/types.js';
import type { ModelFamily } from './model.js';
import { globalAveragePool, type Module, maxPool2d } from './module.js';

interface BlockOptions {
  /** Channels of the stage: 64, 128, 256, 512. */
  planes: number;
  stride: number;
  groups: number;
  widthPerGroup: number;
}

type Block = (m: Module, x: Tensor, options: BlockOptions) => Tensor;

function basicBlock(m: Module, x: Tensor, { planes, stride }: BlockOptions): Tensor {
  let y = m.conv('conv1', x, { channels: planes, kernel: 3, stride, padding: 1 });
  y = m.batchNorm('bn1', y, { activation: relu });
  y = m.conv('conv2', y, { channels: planes, kernel: 3, padding: 1 });
  return m.batchNorm('bn2', y, { add: () => shortcut(m, x, planes, stride), activation: relu });
}

function bottleneck(m: Module, x: Tensor, { planes, stride, groups, widthPerGroup }: BlockOptions): Tensor {
  const width = Math.trunc((planes * widthPerGroup) / 64) * groups;
  let y = m.conv('conv1', x, { channels: width, kernel: 1 });
  y = m.batchNorm('bn1', y, { activation: relu });
  y = m.conv('conv2', y, { channels: width, kernel: 3, stride, padding: 1, groups });
  y = m.batchNorm('bn2', y, { activation: relu });
  y = m.conv('conv3', y, { channels: planes * 4, kernel: 1 });
  return m.batchNorm('bn3', y, { add: () => shortcut(m, x, planes * 4, stride), activation: relu });
}

/** The input itself, or its projection where the block changes its shape. */
function shortcut(m: Module, x: Tensor, channels: number, stride: number): Tensor {
  if (stride === 1 && knownDimension(x.shape, 3) === channels) return x;
  const projected = m.conv('downsample.0', x, { channels, kernel: 1, stride });
  return m.batchNorm('downsample.1', projected);
}

/** `depths`: blocks in each of the four stages. */
function resnet(block: Block, depths: readonly number[], { groups = 1, widthPerGroup = 64 } = {}) {
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    let x = m.conv('conv1', images, { channels: 64, kernel: 7, stride: 2, padding: 3 });
    x = m.batchNorm('bn1', x, { activation: relu });
    x = maxPool2d(x, { kernel: 3, stride: 2, padding: 1 });
    for (const [stage, depth] of depths.entries()) {
      for (let index = 0; index < depth; index++) {
        const stride = stage > 0 && index === 0 ? 2 : 1;
        const options = { planes: 64 * 2 ** stage, stride, groups, widthPerGroup };
        x = block(m.child(`layer${stage + 1}`, index), x, options);
      }
    }
    return m.linear('fc', globalAveragePool(x), classes);
  };
  return { build, head: 'fc' };
}

export const resnets = {
  resnet18: resnet(basicBlock, [2, 2, 2, 2]),
  resnet34: resnet(basicBlock, [3, 4, 6, 3]),
  resnet50: resnet(bottleneck, [3, 4, 6, 3]),
  resnet101: resnet(bottleneck, [3, 4, 23, 3]),
  resnet152: resnet(bottleneck, [3, 8, 36, 3]),
  resnext50_32x4d: resnet(bottleneck, [3, 4, 6, 3], { groups: 32, widthPerGroup: 4 }),
  resnext101_32x8d: resnet(bottleneck, [3, 4, 23, 3], { groups: 32, widthPerGroup: 8 }),
  resnext101_64x4d: resnet(bottleneck, [3, 4, 23, 3], { groups: 64, widthPerGroup: 4 }),
  wide_resnet50_2: resnet(bottleneck, [3, 4, 6, 3], { widthPerGroup: 128 }),
  wide_resnet101_2: resnet(bottleneck, [3, 4, 23, 3], { widthPerGroup: 128 }),
} satisfies ModelFamily;
