// What slides a window over an image: convolutions and pools, with the padding before them, which ONNX takes as their own.

import type { Node, Tensor } from '../../graph/graph.js';
import { floatsOf, intsOf } from '../../graph/passes/constants.js';
import { permute } from '../../graph/passes/permute.js';
import { knownDimension } from '../../graph/types.js';
import { channelsFirst, type Placed } from './builder.js';
import { inputOf, type Rule, type Translation } from './rule.js';

interface Sides {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** The images that a window slides over, before they were padded where that can go into the node, and how they are padded. */
function unpadded(node: Node, t: Translation, value: number): { x: Tensor; sides: Sides; isPadded: boolean } {
  const x = inputOf(node, 0);
  const none = { x, sides: { top: 0, left: 0, bottom: 0, right: 0 }, isPadded: false };
  if (x.node.op !== 'PadV2' || t.uses(x) !== 1 || floatsOf(inputOf(x.node, 2))?.[0] !== value) return none;
  const sides = sidesOf(x.node);
  return sides ? { x: inputOf(x.node, 0), sides, isPadded: true } : none;
}

/** Pixels added to each side of an image; undefined where other axes are padded, too. */
function sidesOf(node: Node): Sides | undefined {
  const [n0, n1, top = 0, bottom = 0, left = 0, right = 0, c0, c1] = intsOf(inputOf(node, 1)) ?? [];
  return n0 || n1 || c0 || c1 ? undefined : { top, bottom, left, right };
}

const padsOf = ({ top, left, bottom, right }: Sides) => ({ ints: [top, left, bottom, right] });

function intsAttribute(node: Node, key: string): readonly number[] {
  const found = node.attributes[key];
  return found && 'ints' in found ? found.ints : [1, 1, 1, 1];
}

/** What TensorFlow's SAME adds to images. */
function samePadding(node: Node, kernel: readonly [number, number]): Sides {
  const { padding } = node.attributes;
  if (!padding || !('string' in padding) || padding.string !== 'SAME') return { top: 0, left: 0, bottom: 0, right: 0 };
  const x = inputOf(node, 0);
  const [strides, dilations] = [intsAttribute(node, 'strides'), intsAttribute(node, 'dilations')];
  const [rows, columns] = ([1, 2] as const).map((axis) => {
    const extent = (kernel[axis - 1 === 0 ? 0 : 1] - 1) * (dilations[axis] ?? 1) + 1;
    const [length, stride] = [knownDimension(x.shape, axis), strides[axis] ?? 1];
    const total = Math.max((Math.ceil(length / stride) - 1) * stride + extent - length, 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)] as const;
  });
  return { top: rows?.[0] ?? 0, bottom: rows?.[1] ?? 0, left: columns?.[0] ?? 0, right: columns?.[1] ?? 0 };
}

const plus = (a: Sides, b: Sides): Sides => ({
  top: a.top + b.top,
  left: a.left + b.left,
  bottom: a.bottom + b.bottom,
  right: a.right + b.right,
});

/** A convolution, grouped or depthwise or neither, with its bias where that was fused with it. */
export function convolution(node: Node, t: Translation): Placed {
  const [filter, bias] = [inputOf(node, 1), node.inputs[2]];
  const weights = floatsOf(filter);
  if (!weights) throw new Error(`internal: ${node.name} has no constant filter`);
  const [height, width, depth, last] = [0, 1, 2, 3].map((axis) => knownDimension(filter.shape, axis)) as Four;
  const isDepthwise = /depthwise/i.test(node.op);
  const { x, sides } = unpadded(node, t, 0);
  const channels = knownDimension(x.shape, 3);
  const placed = isDepthwise
    ? { shape: [depth * last, 1, height, width], permutation: [2, 3, 0, 1] }
    : { shape: [last, depth, height, width], permutation: [3, 2, 0, 1] };
  const data = permute(weights, [height, width, depth, last], placed.permutation);
  const names = [
    t.inOrder(x, channelsFirst),
    t.builder.constant(filter.node.name, { shape: placed.shape, data }),
    ...(bias ? [t.inOrder(bias, [0])] : []),
  ];
  const attributes = {
    kernel_shape: { ints: [height, width] },
    strides: { ints: intsAttribute(node, 'strides').slice(1, 3) },
    dilations: { ints: intsAttribute(node, 'dilations').slice(1, 3) },
    pads: padsOf(plus(sides, samePadding(node, [height, width]))),
    group: { int: isDepthwise ? channels : channels / depth },
  };
  return { name: t.builder.add('Conv', names, attributes, node.name), order: channelsFirst };
}

type Four = [number, number, number, number];

export const maxPool: Rule = (node, t) => {
  const { x, sides } = unpadded(node, t, Number.NEGATIVE_INFINITY);
  return [pool(node, t, { op: 'MaxPool', x, sides: plus(sides, samePadding(node, kernelOf(node))) })];
};

export const averagePool: Rule = (node, t) => {
  const { x, sides, isPadded } = unpadded(node, t, 0);
  const same = samePadding(node, kernelOf(node));
  // Zeros that were added before count in the mean; what SAME adds does not. No network has both.
  if (isPadded && Object.values(same).some((side) => side > 0)) throw new Error('internal: a pool is padded twice');
  const more = { count_include_pad: { int: isPadded ? 1 : 0 } };
  return [pool(node, t, { op: 'AveragePool', x, sides: plus(sides, same), more })];
};

function kernelOf(node: Node): readonly [number, number] {
  const [, height = 1, width = 1] = intsAttribute(node, 'ksize');
  return [height, width];
}

function pool(
  node: Node,
  t: Translation,
  { op, x, sides, more = {} }: { op: string; x: Tensor; sides: Sides; more?: Record<string, { int: number }> },
): Placed {
  const attributes = {
    kernel_shape: { ints: kernelOf(node) },
    strides: { ints: intsAttribute(node, 'strides').slice(1, 3) },
    pads: padsOf(sides),
    ...more,
  };
  return { name: t.builder.add(op, [t.inOrder(x, channelsFirst)], attributes, node.name), order: channelsFirst };
}

/** A padding that no window takes; nothing where the one that uses it does. */
export const padding: Rule = (node, t) => {
  const x = t.placed(inputOf(node, 0));
  const pads = intsOf(inputOf(node, 1)) ?? [];
  const value = floatsOf(inputOf(node, 2)) ?? Float32Array.of(0);
  const ends = [0, 1].flatMap((end) => x.order.map((axis) => pads[2 * axis + end] ?? 0));
  const inputs = [x.name, t.builder.integers('pads', ends), t.builder.constant('fill', { shape: [], data: value })];
  return [{ name: t.builder.add('Pad', inputs, {}, node.name), order: x.order }];
};
