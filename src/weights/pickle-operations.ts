// The pickle operations, by their codes: https://github.com/python/cpython/blob/main/Lib/pickletools.py. What is not
// here is refused.

import { refusedContent, shown } from './file-errors.js';
import { PickleFunction, type PickleMachine } from './pickle-machine.js';

type Operation = (machine: PickleMachine) => void;

/** A Python integer may be as long as it likes; those of a checkpoint are not. */
const maxIntegerBytes = 64;

const newestProtocol = 5;

const plainValues: Record<number, Operation> = {
  78: (m) => m.push(null), // NONE
  136: (m) => m.push(true), // NEWTRUE
  137: (m) => m.push(false), // NEWFALSE
  74: (m) => m.push(m.readInt32()), // BININT
  75: (m) => m.push(m.readUint(1)), // BININT1
  77: (m) => m.push(m.readUint(2)), // BININT2
  138: (m) => pushInteger(m, m.readUint(1)), // LONG1
  139: (m) => pushInteger(m, m.readUint(4)), // LONG4
  71: (m) => m.push(m.readDouble()), // BINFLOAT
  88: (m) => pushText(m, m.readUint(4), 'utf8'), // BINUNICODE
  140: (m) => pushText(m, m.readUint(1), 'utf8'), // SHORT_BINUNICODE
  141: (m) => pushText(m, m.readUint(8), 'utf8'), // BINUNICODE8
  84: (m) => pushText(m, m.readUint(4), 'latin1'), // BINSTRING, of Python 2
  85: (m) => pushText(m, m.readUint(1), 'latin1'), // SHORT_BINSTRING, of Python 2
  66: (m) => m.push(m.readBytes(m.readUint(4))), // BINBYTES
  67: (m) => m.push(m.readBytes(m.readUint(1))), // SHORT_BINBYTES
  142: (m) => m.push(m.readBytes(m.readUint(8))), // BINBYTES8
  150: (m) => m.push(m.readBytes(m.readUint(8))), // BYTEARRAY8
};

const containers: Record<number, Operation> = {
  40: (m) => m.mark(), // MARK
  93: (m) => m.push([]), // EMPTY_LIST
  125: (m) => m.push(new Map()), // EMPTY_DICT
  41: (m) => m.push(Object.freeze([])), // EMPTY_TUPLE
  133: (m) => pushTuple(m, [m.pop()]), // TUPLE1
  134: (m) => pushTuple(m, [m.pop(), m.pop()].reverse()), // TUPLE2
  135: (m) => pushTuple(m, [m.pop(), m.pop(), m.pop()].reverse()), // TUPLE3
  116: (m) => pushTuple(m, m.popMark()), // TUPLE
  108: (m) => m.push(m.popMark()), // LIST
  100: (m) => setItems(m, m.popMark(), new Map()), // DICT
  // APPEND
  97: (m) => append(m, [m.pop()]),
  101: (m) => append(m, m.popMark()), // APPENDS
  115: (m) => setItems(m, [m.pop(), m.pop()].reverse()), // SETITEM
  117: (m) => setItems(m, m.popMark()), // SETITEMS
};

const bookkeeping: Record<number, Operation> = {
  // PROTO
  128: (m) => {
    const protocol = m.readUint(1);
    if (protocol > newestProtocol) throw refusedContent(m.rules.path, `pickle protocol ${protocol}`);
  },
  149: (m) => void m.readUint(8), // FRAME: a hint for buffering
  48: (m) => void m.pop(), // POP
  49: (m) => void m.popMark(), // POP_MARK
  50: (m) => m.push(m.top()), // DUP
  113: (m) => m.memo.set(m.readUint(1), m.top()), // BINPUT
  114: (m) => m.memo.set(m.readUint(4), m.top()), // LONG_BINPUT
  148: (m) => m.memo.set(m.memo.size, m.top()), // MEMOIZE
  104: (m) => pushMemo(m, m.readUint(1)), // BINGET
  106: (m) => pushMemo(m, m.readUint(4)), // LONG_BINGET
};

const objects: Record<number, Operation> = {
  // GLOBAL
  99: (m) => {
    const module = m.readLine();
    m.pushGlobal(module, m.readLine());
  },
  // STACK_GLOBAL
  147: (m) => {
    const [name, module] = [m.pop(), m.pop()];
    if (typeof module !== 'string' || typeof name !== 'string') throw m.broken('a global without a name');
    m.pushGlobal(module, name);
  },
  // INST, which names and calls at once
  105: (m) => {
    const module = m.readLine();
    throw refusedContent(m.rules.path, shown(`${module}.${m.readLine()}`));
  },
  82: call, // REDUCE
  129: call, // NEWOBJ
  // BUILD
  98: (m) => {
    m.pop();
    if (!m.rules.takesState(m.top())) throw refusedContent(m.rules.path, 'a state for something that has none');
  },
  81: (m) => m.push(m.rules.resolve(m.pop())), // BINPERSID
};

export const operations: Readonly<Record<number, Operation>> = {
  ...plainValues,
  ...containers,
  ...bookkeeping,
  ...objects,
};

function call(m: PickleMachine): void {
  const args = m.pop();
  const callee = m.pop();
  if (!(callee instanceof PickleFunction)) throw refusedContent(m.rules.path, 'a call of what is no function');
  if (!Array.isArray(args) || !Object.isFrozen(args)) throw m.broken('a call without a tuple');
  m.push(callee.call(args));
}

function pushInteger(m: PickleMachine, length: number): void {
  if (length > maxIntegerBytes) throw refusedContent(m.rules.path, `an integer of ${length} bytes`);
  const digits = Buffer.from(m.readBytes(length)).reverse().toString('hex');
  const value = BigInt.asIntN(length * 8, BigInt(`0x0${digits}`));
  const number = Number(value);
  m.push(Number.isSafeInteger(number) ? number : value);
}

function pushText(m: PickleMachine, length: number, encoding: 'utf8' | 'latin1'): void {
  const { buffer, byteOffset, byteLength } = m.readBytes(length);
  m.push(Buffer.from(buffer, byteOffset, byteLength).toString(encoding));
}

function pushTuple(m: PickleMachine, items: unknown[]): void {
  m.push(Object.freeze(items));
}

function pushMemo(m: PickleMachine, index: number): void {
  if (!m.memo.has(index)) throw m.broken(`memo ${index}, which is not there,`);
  m.push(m.memo.get(index));
}

function append(m: PickleMachine, items: readonly unknown[]): void {
  const list = m.popList();
  for (const item of items) list.push(item);
  m.push(list);
}

function setItems(m: PickleMachine, items: readonly unknown[], target?: Map<string, unknown>): void {
  const dict = target ?? m.popDict();
  if (items.length % 2 !== 0) throw m.broken('a key without a value');
  for (let index = 0; index < items.length; index += 2) {
    const key = items[index];
    // Other keys are not only useless: unlike those of strings, their hashes can be made to collide.
    if (typeof key === 'string') dict.set(key, items[index + 1]);
  }
  m.push(dict);
}
