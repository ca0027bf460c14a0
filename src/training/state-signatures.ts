// How a network's weights and the optimizer's state enter and leave the graph: under torchvision's names and in its
// shapes.

import type { Graph, Node, Tensor } from '../graph/graph.js';
import { floatConstant, identity, placeholder } from '../graph/ops/source.js';
import { ownCopy, type Variable } from '../graph/ops/state.js';
import type { Signature } from '../graph/saved-model.js';
import { filled, type Parameter } from '../models/parameters.js';
import type { Optimizer, OptimizerSlot, SlotKind } from './optimizer.js';

/** `early`: the state of what is trained from the start; `late`: of what is trained after `unfreeze` only. */
export type SlotPhase = 'early' | 'late';

/** Reads or sets the slots of one kind and phase, named `<parameter>/<kind>`; only where there are any. */
export type SlotStep = `${'read' | 'load'}_${SlotPhase}_${SlotKind}`;

const slotPhases: readonly SlotPhase[] = ['early', 'late'];

export const phaseOf = ({ group }: OptimizerSlot): SlotPhase => (group === 'late' ? 'late' : 'early');

/** A variable and the parameter whose layout it has. */
interface Kept {
  parameter: Parameter;
  variable: Variable;
}

/** The steps that set all weights, as given or drawn, begin to train what was frozen, and read the weights. */
export function initSignatures(graph: Graph, parameters: readonly Parameter[], optimizer: Optimizer) {
  const resetSlots = (phase: SlotPhase) =>
    optimizer.slots
      .filter((slot) => phaseOf(slot) === phase)
      .map(({ variable }) => variable.assign(filled(graph, 0, variable.shape)));

  const init = loadSignature(graph, 'init', asKept(parameters), () => resetSlots('early'));
  const init_random = graph.scope('init_random', () => {
    const seed = placeholder(graph, 'seed', 'int32', [2]);
    const draw = (parameter: Parameter, index: number) => parameter.variable.assign(parameter.draw(seed, index));
    return { inputs: { seed }, outputs: doneAfter(graph, [...parameters.map(draw), ...resetSlots('early')]) };
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
      const kept = slots.filter((slot) => slot.kind === kind && phaseOf(slot) === phase);
      if (kept.length === 0) continue;
      const [read, load] = [`read_${phase}_${kind}`, `load_${phase}_${kind}`] as const;
      signatures[read] = readSignature(graph, read, kept);
      signatures[load] = loadSignature(graph, load, kept);
    }
  }
  return signatures;
}

const asKept = (parameters: readonly Parameter[]): Kept[] =>
  parameters.map((parameter) => ({ parameter, variable: parameter.variable }));

function readSignature(graph: Graph, name: string, kept: readonly Kept[]): Signature {
  const read = ({ parameter, variable }: Kept) => [variable.name, identity(parameter.leaveGraph(variable.read()))];
  return { inputs: {}, outputs: graph.scope(name, () => Object.fromEntries(kept.map(read)) as Record<string, Tensor>) };
}

/** Sets each variable from the input of its name; `alsoDo` makes nodes that are to run, too. */
function loadSignature(
  graph: Graph,
  name: string,
  kept: readonly Kept[],
  alsoDo: () => readonly Node[] = () => [],
): Signature {
  return graph.scope(name, () => {
    const inputs = kept.map(({ parameter, variable }) =>
      placeholder(graph, variable.name, 'float32', parameter.spec.shape),
    );
    const assigned = kept.map(({ parameter, variable }, index) => {
      const value = inputs[index];
      if (!value) throw new Error('internal: an input was not made');
      return variable.assign(parameter.enterGraph(ownCopy(value)));
    });
    return {
      inputs: Object.fromEntries(kept.map(({ variable }, index) => [variable.name, inputs[index]])) as Record<
        string,
        Tensor
      >,
      outputs: doneAfter(graph, [...assigned, ...alsoDo()]),
    };
  });
}

/** An output that is there once `nodes` have run. */
export function doneAfter(graph: Graph, nodes: readonly Node[]): Record<string, Tensor> {
  return { done: graph.after(nodes, () => identity(floatConstant(graph, 1), 'done')) };
}
