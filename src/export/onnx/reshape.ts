// Reshaping. ONNX reshapes memory as it lies. Axes that are cut, or joined with their neighbours, must lie in the network's
// order then, but the others may stay where they are, so that little has to be moved.

import type { Shape } from '../../graph/types.js';
import { inputOf, type Rule } from './rule.js';

export const reshape: Rule = (node, t) => {
  const x = inputOf(node, 0);
  const shape = node.outputs[0]?.shape ?? [];
  const { order } = t.placed(x);
  const parts = partsOf(x.shape, shape).sort((a, b) => order.indexOf(a.from[0] ?? 0) - order.indexOf(b.from[0] ?? 0));
  const name = t.inOrder(
    x,
    parts.flatMap(({ from }) => from),
  );
  const lying = parts.flatMap(({ to }) => to);
  // -1 stands for what follows from the others.
  const target = t.builder.integers(
    'shape',
    lying.map((axis) => shape[axis] ?? -1),
  );
  return [{ name: t.builder.add('Reshape', [name, target], {}, node.name), order: lying }];
};

/** Axes that become other axes, both in their order. */
interface Part {
  from: readonly number[];
  to: readonly number[];
}

/** The smallest parts into which a reshape falls, from the last; what has an unknown length is one part with all before. */
function partsOf(from: Shape, to: Shape): Part[] {
  const parts: Part[] = [];
  let [i, j] = [from.length, to.length];
  while (i > 0 && j > 0) {
    const [endI, endJ] = [i, j];
    let [left, right] = [from[--i] ?? null, to[--j] ?? null];
    while (left !== right && left !== null && right !== null) {
      if (left < right) left = times(left, from[--i]);
      else right = times(right, to[--j]);
    }
    if (left === null || right === null) [i, j] = [0, 0];
    parts.push({ from: range(i, endI), to: range(j, endJ) });
  }
  // Axes of one element may be left over at the front.
  const last = parts.at(-1);
  if (last) parts[parts.length - 1] = { from: [...range(0, i), ...last.from], to: [...range(0, j), ...last.to] };
  return parts;
}

const times = (a: number, b: number | null | undefined) => (b === null || b === undefined ? null : a * b);

const range = (start: number, end: number) => Array.from({ length: end - start }, (_, index) => start + index);
