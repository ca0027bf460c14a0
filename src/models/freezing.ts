// Which part of a network stays as it is while the rest is trained. What is frozen behaves as in evaluation: batch norm
// by its running statistics, nothing dropped.

import { UserError } from '../errors.js';

export interface Frozen {
  /** Whether a parameter, or a batch norm's buffer, is to stay as it is. */
  parameter(name: string): boolean;
  /** Whether a module has parameters and all of them are to stay. */
  module(path: string): boolean;
}

interface Named {
  name: string;
  trainable: boolean;
}

/**
 * What `freeze` asks for: `none`; `backbone`, all but the layer `head`; or a module's name, all up to and including it in
 * the order of the network's parameters. Throws a `UserError` where the network has no such module, or nothing would be
 * left to train.
 */
export function freezingOf(freeze: string, parameters: readonly Named[], head: string): Frozen | undefined {
  if (freeze === 'none') return undefined;
  const names = parameters.map(({ name }) => name);
  const frozenBy = (part: string): ReadonlySet<string> => {
    if (part === 'backbone') return new Set(names.filter((name) => !isIn(name, head)));
    return new Set(names.slice(0, names.findLastIndex((name) => isIn(name, part)) + 1));
  };
  const leavesSome = (still: ReadonlySet<string>) =>
    parameters.some(({ name, trainable }) => trainable && !still.has(name));

  const frozen = frozenBy(freeze);
  if (frozen.size === 0) {
    const stages = stagesOf(names).filter((stage) => leavesSome(frozenBy(stage)));
    throw new UserError(`--freeze=${freeze} names no part of the network`, {
      expected: `none, backbone, or one of ${stages.join(', ')}`,
    });
  }
  if (!leavesSome(frozen)) {
    throw new UserError(`--freeze=${freeze} leaves nothing to train`, { mend: 'Freeze an earlier part' });
  }
  return {
    parameter: (name) => frozen.has(name),
    module: (path) => {
      const own = names.filter((name) => isIn(name, path));
      return own.length > 0 && own.every((name) => frozen.has(name));
    },
  };
}

const isIn = (name: string, module: string) => name.startsWith(`${module}.`);

/** The modules that a user may want to name: the network's own children, or theirs where it has but few. */
function stagesOf(names: readonly string[]): string[] {
  const children = (depth: number) => [
    ...new Set(names.map((name) => name.split('.').slice(0, -1).slice(0, depth).join('.'))),
  ];
  const own = children(1);
  return own.length > 4 ? own : children(2);
}
