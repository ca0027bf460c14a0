// How a network's weights and the optimizer's state enter and leave the graph: under torchvision's names and in its
// shapes.

import { defined } from '../defined.js';
import type { Graph, Node, Tensor } from '../graph/graph.js';
import { floatConstant, identity, placeholder } from '../graph/ops/source.js';
import { ownCopy, type Variable } from '../graph/ops/state.js';
import type { Signature } from '../graph/saved-model.js';
import { filled, type Parameter, type Storage, storagesOf } from '../models/parameters.js';
import type { Optimizer, OptimizerSlot, SlotKind } from './optimizer.js';

/** `early`: the state of what is trained from the start; `late`: of what is trained after `unfreeze` only. */
export type SlotPhase = 'early' | 'late';

/** Reads or sets the slots of one kind and phase, named `<parameter>/<kind>`; only where there are any. */
export type SlotStep = `${'read' | 'load'}_${SlotPhase}_${SlotKind}`;

const slotPhases: readonly SlotPhase[] = ['early', 'late'];

export const phaseOf = ({ group }: OptimizerSlot): SlotPhase => (group === 'late' ? 'late' : 'early');

/** A variable, the storage whose layout it has, and what its part for a parameter is called outside the graph. */
interface Kept {
  storage: Storage;
  variable: Variable;
  nameOf(parameter: Parameter): string;
}

/** What an optimizer's slots of a kind are called outside the graph. */
export const slotName = ({ name }: Parameter, kind: SlotKind) => `${name}/${kind}`;

/** The steps that set all weights, as given or drawn, begin to train what was frozen, and read the weights. */
export function initSignatures(graph: Graph, parameters: readonly Parameter[], optimizer: Optimizer) {
  const resetSlots = (phase: SlotPhase) =>
    optimizer.slots
      .filter((slot) => phaseOf(slot) === phase)
      .map(({ variable }) => variable.assign(filled(graph, 0, variable.shape)));

  const init = loadSignature(graph, 'init', asKept(parameters), () => resetSlots('early'));
  const init_random = graph.scope('init_random', () => {
    const seed = placeholder(graph, 'seed', 'int32', [2]);
    const indices = new Map(parameters.map((parameter, index) => [parameter, index]));
    const draw = (parameter: Parameter) => parameter.draw(seed, defined(indices.get(parameter)));
    const drawn = storagesOf(parameters).map((storage) => storage.variable.assign(storage.join(draw)));
    return { inputs: { seed }, outputs: doneAfter(graph, [...drawn, ...resetSlots('early')]) };
  });
  // What is frozen takes no memory for the optimizer's state before this.
  const unfreeze = graph.scope('unfreeze', () => ({ inputs: {}, outputs: doneAfter(graph, resetSlots('late')) }));
  return { init, init_random, unfreeze, read_weights: readSignature(graph, 'read_weights', asKept(parameters)) };
}

/** The steps that read and set the optimizer's slots, one each for a kind and phase that has any. */
export function slotSignatures(graph: Graph, { slots, slotKinds }: Optimizer): Partial<Record<SlotStep, Signature>> {
  const signatures: Partial<Record<SlotStep, Signature>> = {};
  for (const kind of slotKinds) {
    for (const phase of slotPhases) {
      const kept = slots
        .filter((slot) => slot.kind === kind && phaseOf(slot) === phase)
        .map(({ storage, variable }) => ({ storage, variable, nameOf: (part: Parameter) => slotName(part, kind) }));
      if (kept.length === 0) continue;
      const [read, load] = [`read_${phase}_${kind}`, `load_${phase}_${kind}`] as const;
      signatures[read] = readSignature(graph, read, kept);
      signatures[load] = loadSignature(graph, load, kept);
    }
  }
  return signatures;
}

const asKept = (parameters: readonly Parameter[]): Kept[] =>
  storagesOf(parameters).map((storage) => ({ storage, variable: storage.variable, nameOf: ({ name }) => name }));

function readSignature(graph: Graph, name: string, kept: readonly Kept[]): Signature {
  const read = ({ storage, variable, nameOf }: Kept) =>
    [...storage.split(variable.read())].map(([parameter, value]): [string, Tensor] => [
      nameOf(parameter),
      identity(parameter.leaveGraph(value)),
    ]);
  return { inputs: {}, outputs: graph.scope(name, () => Object.fromEntries(kept.flatMap(read))) };
}

/** Sets each variable from the inputs of its parts' names; `alsoDo` makes nodes that are to run, too. */
function loadSignature(
  graph: Graph,
  name: string,
  kept: readonly Kept[],
  alsoDo: () => readonly Node[] = () => [],
): Signature {
  return graph.scope(name, () => {
    const inputs: Record<string, Tensor> = {};
    const given = (parameter: Parameter, input: string): Tensor => {
      const value = placeholder(graph, input, 'float32', parameter.spec.shape);
      inputs[input] = value;
      return parameter.enterGraph(value);
    };
    const assigned = kept.map(({ storage, variable, nameOf }) =>
      variable.assign(ownCopy(storage.join((parameter) => given(parameter, nameOf(parameter))))),
    );
    return { inputs, outputs: doneAfter(graph, [...assigned, ...alsoDo()]) };
  });
}

/** An output that is there once `nodes` have run. */
export function doneAfter(graph: Graph, nodes: readonly Node[]): Record<string, Tensor> {
  return { done: graph.after(nodes, () => identity(floatConstant(graph, 1), 'done')) };
}
