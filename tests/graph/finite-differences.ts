// Compares gradients with finite differences. What an op returns is weighed by fixed random numbers and summed, so that
// the incoming gradient differs from element to element; the sum is made here in float64, so that a small step shows.

import { gradients } from '#src/graph/autodiff.js';
import { Graph } from '#src/graph/graph.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { placeholder } from '#src/graph/ops/source.js';
import type { Signature } from '#src/graph/saved-model.js';
import { type HostTensor, openSession, outputOf, type Runtime, type Session } from '#src/graph/session.js';
import { type GradientCase, inParts, place, titleOf } from './op-case.js';
import { count, noise, type Sample } from './samples.js';

export interface GradientCheck {
  /** For each differentiated input, the largest error relative to the largest slope, with the inputs as they are. */
  errors(spec: GradientCase, inputs?: readonly Sample[]): { input: number; error: number }[];
  dispose(): void;
}

const isDifferentiated = ({ dtype, fixed }: Sample) => dtype === 'float32' && !fixed;

/** Compiles cases into a few sessions: each signature costs a reading of its session's whole graph. */
export async function compileGradientCases(runtime: Runtime, cases: readonly GradientCase[]): Promise<GradientCheck> {
  const parts = new Map<GradientCase, Session<string>>();
  for (const part of inParts(cases)) {
    const session = await compilePart(runtime, part);
    for (const spec of part) parts.set(spec, session);
  }
  return {
    errors: (spec, inputs = spec.inputs) => {
      const session = parts.get(spec);
      if (!session) throw new Error(`${spec.op} was not compiled`);
      return measure(session, spec, inputs);
    },
    dispose: () => {
      for (const session of new Set(parts.values())) session.dispose();
    },
  };
}

async function compilePart(runtime: Runtime, cases: readonly GradientCase[]): Promise<Session<string>> {
  const graph = new Graph();
  const signatures: Record<string, Signature> = {};
  for (const spec of cases) {
    const title = titleOf(spec);
    const { feeds, made } = place(graph, spec, (inputs) => {
      const y = spec.build(inputs, graph);
      const weights = placeholder(graph, 'weights', 'float32', y.shape);
      const targets = inputs.filter((_, index) => isDifferentiated(spec.inputs[index] as Sample));
      return { y, weights, found: gradients(sum(mul(y, weights)), targets) };
    });
    const { y, weights, found } = made;
    signatures[`forward ${title}`] = { inputs: feeds, outputs: { y } };
    signatures[`backward ${title}`] = {
      inputs: { ...feeds, weights },
      outputs: Object.fromEntries(found.map((gradient, index) => [`gradient_${index}`, gradient])),
    };
  }
  return openSession(runtime, graph, signatures);
}

function measure(session: Session<string>, spec: GradientCase, inputs: readonly Sample[]) {
  const title = titleOf(spec);
  const run = (values: readonly HostTensor[]) =>
    outputOf(session.run(`forward ${title}`, Object.fromEntries(values.map((value, i) => [`x${i}`, value]))), 'y');
  const { shape } = run(inputs);
  const weights = noise(title.length, count(shape)).map((value) => Math.fround(value));
  const found = session.run(`backward ${title}`, {
    ...Object.fromEntries(inputs.map((value, i) => [`x${i}`, value])),
    weights: { dtype: 'float32', shape, data: Float32Array.from(weights) },
  });
  const loss = (values: readonly HostTensor[]) =>
    Array.from(run(values).data).reduce((total, value, index) => total + value * (weights[index] ?? Number.NaN), 0);

  return inputs
    .map((input, index) => ({ input, index }))
    .filter(({ input }) => isDifferentiated(input))
    .map(({ input, index }, position) => {
      const gradient = outputOf(found, `gradient_${position}`);
      if (gradient.shape.join() !== input.shape.join())
        throw new Error(`gradient [${gradient.shape}] for [${input.shape}]`);
      const slopes = Array.from(input.data, (_, element) => {
        const moved = (by: number) => {
          const data = Float32Array.from(input.data);
          data[element] = (data[element] ?? Number.NaN) + by;
          return {
            at: data[element] ?? Number.NaN,
            loss: loss(inputs.map((other, i) => (i === index ? { ...input, data } : other))),
          };
        };
        const [above, below] = [moved(spec.step), moved(-spec.step)];
        return (above.loss - below.loss) / (above.at - below.at);
      });
      const largest = Math.max(...slopes.map(Math.abs));
      const errors = slopes.map((slope, element) => Math.abs(slope - (gradient.data[element] ?? Number.NaN)) / largest);
      return { input: index, error: Math.max(...errors) };
    });
}

/** The same inputs with one row fewer wherever the first axis was left open. */
export function withoutLastRow(inputs: readonly Sample[]): Sample[] {
  return inputs.map((input) => {
    if (!input.dynamic) return input;
    const [rows = 0, ...rest] = input.shape;
    if (rows < 2) throw new Error('no row would be left');
    const shape = [rows - 1, ...rest];
    return { ...input, shape, data: input.data.slice(0, count(shape)) };
  });
}
