// A reader of Python's pickles, protocols 2 to 5 (https://docs.python.org/3/library/pickletools.html), that runs nothing:
// it builds plain values, and calls only the functions that its rules hold. All else is refused by name.
//
// Python      here
// None, bool  null, boolean
// int         number, or bigint where a number can't hold it
// float, str  number, string
// bytes       Uint8Array (not copied)
// list        array
// tuple       frozen array
// dict        Map of what is named by strings; the rest is dropped, as no weight is named by anything else

import { refusedContent } from './file-errors.js';
import { PickleMachine, type PickleRules } from './pickle-machine.js';
import { operations } from './pickle-operations.js';

/** A pickle may be no longer. ResNet-152's with its optimizer has 0.3 MB. */
export const maxPickleBytes = 16 * 2 ** 20;
/** Each step makes one value at most, so that this bounds time and memory. ResNet-152 with its optimizer takes 76,000. */
const maxSteps = 1_000_000;

/** Reads one pickle, from `start` to its end. Throws a `UserError` where it is broken or holds what the rules don't. */
export function readPickle(bytes: Uint8Array, start: number, rules: PickleRules): { value: unknown; end: number } {
  const machine = new PickleMachine(bytes, start, rules);
  for (let step = 0; step < maxSteps; step++) {
    const code = machine.readUint(1);
    if (code === stop) return { value: machine.pop(), end: machine.position };
    const operation = operations[code];
    if (!operation) throw unknownOperation(machine, code);
    operation(machine);
  }
  throw refusedContent(rules.path, `a pickle of more than ${maxSteps.toLocaleString('en')} steps`);
}

const stop = 0x2e;

/** Those of text pickles, sets, persistent names, extension codes, keyword arguments and out-of-band buffers. */
const unreadCodes = 'IFLSVpgPo\x82\x83\x84\x8f\x90\x91\x92\x97\x98';

function unknownOperation(machine: PickleMachine, code: number): Error {
  const name = `0x${code.toString(16).padStart(2, '0')}`;
  const isOperation = unreadCodes.includes(String.fromCharCode(code));
  if (isOperation) return refusedContent(machine.rules.path, `pickle operation ${name}`);
  return machine.broken(`${name}, which is no operation,`);
}
