import type { Graph, Tensor } from '#src/graph/graph.js';
import { onlyIf, ranOrNot } from '#src/graph/ops/control.js';
import { greaterEqual } from '#src/graph/ops/math.js';
import { floatConstant } from '#src/graph/ops/source.js';
import { Variable } from '#src/graph/ops/state.js';
import { forwardCase } from '../op-case.js';
import { floats } from '../samples.js';

/** A variable of [1, 2], set to `x` where `x0` is not negative; read afterwards. */
const assignment = (op: string, name: string, isSet: boolean) => {
  const value = isSet ? 0 : -1;
  return forwardCase({
    op,
    name,
    inputs: [floats([], [value]), floats([2], [3, 4])],
    build: ([x0, x], graph) => {
      const condition = greaterEqual(x0, floatConstant(graph, 0));
      return setOnlyIf(condition, x, graph, `${op} ${isSet}`);
    },
    expected: isSet ? [3, 4] : [1, 2],
  });
};

function setOnlyIf(condition: Tensor, x: Tensor, graph: Graph, name: string): Tensor {
  const variable = new Variable(graph, name, 'float32', [2]);
  const before = variable.assign(floatConstant(graph, [1, 2]));
  const assigned = graph.after([before], () => variable.assign(onlyIf(condition, x)));
  return graph.after([before, ranOrNot(condition, [assigned])], () => variable.read());
}

export const forward = [
  assignment('Switch', 'on', true),
  assignment('Switch', 'off', false),
  assignment('Merge', 'after what ran', true),
  assignment('Merge', 'after what did not run', false),
];
