// A graph that runs: handed to TensorFlow as a SavedModel, and called by signature.

import type { HostTensor, Runtime } from '../tensorflow/runtime.js';
import { Graph } from './graph.js';
import { encodeSavedModel, type Signature } from './saved-model.js';
import { elementCount, formatShape } from './types.js';

export type { HostTensor, Runtime };

/** Signatures of one session share its variables. */
export interface Session<Name extends string> {
  /**
   * Runs one signature to its end, blocking the thread, and returns all of its outputs by name. Throws `internal:` where
   * the inputs are not exactly the signature's, and with TensorFlow's message when the graph fails.
   */
  run(signature: Name, inputs?: Readonly<Record<string, HostTensor>>): Record<string, HostTensor>;
  dispose(): void;
}

/** Compiles `graph` so that each of `named` can be run. Nothing is left on disk. */
export async function openSession<Name extends string>(
  runtime: Runtime,
  graph: Graph,
  named: Readonly<Partial<Record<Name, Signature>>>,
): Promise<Session<Name>> {
  const signatures: Readonly<Record<string, Signature>> = Object.fromEntries(
    Object.entries<Signature | undefined>(named).flatMap(([name, given]) => (given ? [[name, given]] : [])),
  );
  const whole = encodeSavedModel(graph, signatures);
  const signaturesOnly = encodeSavedModel(new Graph(), signatures);
  const model = await runtime.loadModel({ whole, signaturesOnly }, Object.keys(signatures));
  return {
    run(signature, inputs = {}) {
      const found = signatures[signature];
      if (!found) throw new Error(`internal: the graph has no signature ${signature}`);
      checkInputs(signature, found.inputs, inputs);
      return model.run(signature, inputs);
    },
    dispose: () => model.dispose(),
  };
}

/** TensorFlow takes any shape for a placeholder, and kernels may read past the end of a value that is too small. */
function checkInputs(
  signature: string,
  expected: Signature['inputs'],
  found: Readonly<Record<string, HostTensor>>,
): void {
  for (const name of Object.keys(found)) {
    if (!expected[name]) throw new Error(`internal: ${signature} has no input ${name}`);
  }
  for (const [name, { dtype, shape }] of Object.entries(expected)) {
    const value = found[name];
    if (!value) throw new Error(`internal: ${signature} was run without its input ${name}`);
    const fits =
      value.shape.length === shape.length && shape.every((size, i) => size === null || size === value.shape[i]);
    if (value.dtype !== dtype || !fits || elementCount(value.shape) !== value.data.length) {
      const given = `${value.data.length} values as ${value.dtype}${formatShape(value.shape)}`;
      throw new Error(`internal: ${signature} needs ${name} as ${dtype}${formatShape(shape)}, not ${given}`);
    }
  }
}

/** A float32 value for a graph's input. */
export function float32(values: number | ArrayLike<number>, shape?: readonly number[]): HostTensor {
  const data = typeof values === 'number' ? Float32Array.of(values) : asFloat32(values);
  return { dtype: 'float32', data, shape: shape ?? (typeof values === 'number' ? [] : [data.length]) };
}

/** An int32 value for a graph's input. */
export function int32(values: number | ArrayLike<number>, shape?: readonly number[]): HostTensor {
  const data = typeof values === 'number' ? Int32Array.of(values) : asInt32(values);
  return { dtype: 'int32', data, shape: shape ?? (typeof values === 'number' ? [] : [data.length]) };
}

const asFloat32 = (values: ArrayLike<number>) => (values instanceof Float32Array ? values : Float32Array.from(values));
const asInt32 = (values: ArrayLike<number>) => (values instanceof Int32Array ? values : Int32Array.from(values));

/** The named output, which the signature must have. */
export function outputOf(outputs: Record<string, HostTensor>, name: string): HostTensor {
  const tensor = outputs[name];
  if (!tensor) throw new Error(`internal: the graph has no output ${name}`);
  return tensor;
}
