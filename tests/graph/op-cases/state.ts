import type { Graph, Tensor } from '#src/graph/graph.js';
import { floatConstant, identity } from '#src/graph/ops/source.js';
import { ownCopy, Variable } from '#src/graph/ops/state.js';
import { forwardCase } from '../op-case.js';
import { floats } from '../samples.js';

/** A variable that has been set to `value`, and the node that set it. */
function variable(graph: Graph, name: string, value: Tensor) {
  const made = new Variable(graph, name, 'float32', [2]);
  return { made, assigned: made.assign(value) };
}

const start = floats([2], [1, -2]);
const assignment = (label: string) => ({
  inputs: [start],
  build: ([x]: readonly [Tensor], graph: Graph) => {
    const { made, assigned } = variable(graph, label, x);
    return graph.after([assigned], () => made.read());
  },
  expected: [1, -2],
});

export const forward = [
  forwardCase({ op: 'VarHandleOp', ...assignment('handle') }),
  forwardCase({ op: 'ReadVariableOp', ...assignment('read') }),
  forwardCase({ op: 'AssignVariableOp', ...assignment('assign') }),
  forwardCase({ op: 'DeepCopy', inputs: [start], build: ([x]) => ownCopy(x), expected: [1, -2] }),
  forwardCase({
    op: 'AssignSubVariableOp',
    inputs: [start, floats([2], [0.25, 3])],
    build: ([x, less], graph) => {
      const { made, assigned } = variable(graph, 'subtract', x);
      const subtracted = graph.after([assigned], () => made.subtract(less));
      return graph.after([subtracted], () => made.read());
    },
    expected: [0.75, -5],
  }),
  forwardCase({
    op: 'AssignAddVariableOp',
    inputs: [start, floats([2], [0.25, 3])],
    build: ([x, more], graph) => {
      const { made, assigned } = variable(graph, 'increase', x);
      const increased = graph.after([assigned], () => made.increase(more));
      return graph.after([increased], () => made.read());
    },
    expected: [1.25, 1],
  }),
  forwardCase({
    op: 'ResourceApplyAdam',
    // weight, first and second moment, gradient
    inputs: [start, floats([2], [0.2, 0]), floats([2], [0.04, 0]), floats([2], [0.5, -3])],
    build: ([x, m, v, gradient], graph) => {
      const [weight, first, second] = [
        variable(graph, 'adam', x),
        variable(graph, 'adam_first', m),
        variable(graph, 'adam_second', v),
      ];
      const scalar = (value: number) => floatConstant(graph, value);
      const updated = graph.after([weight.assigned, first.assigned, second.assigned], () =>
        weight.made.applyAdam(
          gradient,
          { first: first.made, second: second.made },
          {
            beta1: scalar(0.9),
            beta2: scalar(0.99),
            // after one step
            beta1Power: scalar(0.9),
            beta2Power: scalar(0.99),
            rate: scalar(0.1),
            epsilon: scalar(0.01),
          },
        ),
      );
      return graph.after([updated], () => [weight, first, second].map(({ made }) => made.read()));
    },
    // The corrected rate is 0.1 sqrt(1 - 0.99) / (1 - 0.9) = 0.1.
    expected: [
      [1 - (0.1 * 0.23) / (Math.sqrt(0.0421) + 0.01), -2 + (0.1 * 0.3) / (0.3 + 0.01)],
      [0.9 * 0.2 + 0.1 * 0.5, 0.1 * -3],
      [0.99 * 0.04 + 0.01 * 0.25, 0.01 * 9],
    ],
    tolerance: 1e-5,
  }),
  forwardCase({
    op: 'ResourceApplyMomentum',
    // weight, accumulator, gradient
    inputs: [start, floats([2], [4, 0]), floats([2], [0.5, -3])],
    build: ([x, a, gradient], graph) => {
      const weight = variable(graph, 'momentum', x);
      const accumulator = variable(graph, 'momentum_accumulator', a);
      const updated = graph.after([weight.assigned, accumulator.assigned], () =>
        weight.made.applyMomentum(gradient, accumulator.made, {
          rate: floatConstant(graph, 0.1),
          momentum: floatConstant(graph, 0.5),
        }),
      );
      return graph.after([updated], () => [identity(weight.made.read()), accumulator.made.read()]);
    },
    // a = 0.5 a + g, w = w - 0.1 a
    expected: [
      [1 - 0.1 * 2.5, -2 + 0.1 * 3],
      [2.5, -3],
    ],
  }),
];
