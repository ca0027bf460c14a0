// What the pickle operations work on (the bytes, the stack, the memo), and the rules that say what a pickle may hold.

import { brokenFile, refusedContent, shown } from './file-errors.js';

/** What a pickle may call. It gets a tuple and must not do more work than the tuple's length allows, or must count it. */
export class PickleFunction {
  readonly call: (args: readonly unknown[]) => unknown;

  constructor(call: (args: readonly unknown[]) => unknown) {
    this.call = call;
  }
}

export interface PickleRules {
  /** The file's name for errors. */
  readonly path: string;
  /** What may be named, as `module.name`, and what it stands for: often a `PickleFunction`. */
  readonly globals: ReadonlyMap<string, unknown>;
  /** The object outside the pickle that an id means. */
  resolve(id: unknown): unknown;
  /** Whether a state may be set on an object. It is dropped then, never used. */
  takesState(object: unknown): boolean;
}

/** The state of the reading: what the operations work on. */
export class PickleMachine {
  readonly rules: PickleRules;
  readonly memo = new Map<number, unknown>();
  position: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private stack: unknown[] = [];
  /** The stacks below each open mark. */
  private readonly below: unknown[][] = [];

  constructor(bytes: Uint8Array, start: number, rules: PickleRules) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
    this.rules = rules;
  }

  /** An unsigned little-endian number of 1, 2, 4 or 8 bytes. */
  readUint(size: 1 | 2 | 4 | 8): number {
    const at = this.skip(size);
    if (size === 1) return this.view.getUint8(at);
    if (size === 2) return this.view.getUint16(at, true);
    if (size === 4) return this.view.getUint32(at, true);
    return Number(this.view.getBigUint64(at, true));
  }

  readInt32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  /** Big-endian, unlike the rest. */
  readDouble(): number {
    return this.view.getFloat64(this.skip(8));
  }

  readBytes(length: number): Uint8Array {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Up to a line feed, which is passed over. */
  readLine(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.broken('a line without an end');
    const line = Buffer.from(this.readBytes(end - this.position)).toString('utf8');
    this.position = end + 1;
    return line;
  }

  private skip(length: number): number {
    const at = this.position;
    if (!(length <= this.bytes.length - at)) throw this.broken(`${length} bytes wanted of ${this.bytes.length - at}`);
    this.position += length;
    return at;
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length === 0) throw this.broken('an empty stack');
    return this.stack.pop();
  }

  top(): unknown {
    if (this.stack.length === 0) throw this.broken('an empty stack');
    return this.stack.at(-1);
  }

  mark(): void {
    this.below.push(this.stack);
    this.stack = [];
  }

  /** All values since the last mark. */
  popMark(): unknown[] {
    const items = this.stack;
    const below = this.below.pop();
    if (!below) throw this.broken('no mark');
    this.stack = below;
    return items;
  }

  popList(): unknown[] {
    const value = this.pop();
    if (Array.isArray(value) && !Object.isFrozen(value)) return value;
    throw this.broken('something appended to what is no list');
  }

  popDict(): Map<string, unknown> {
    const value = this.pop();
    if (value instanceof Map) return value;
    throw this.broken('items set on what is no dict');
  }

  /** What a global means. Being named is enough to be refused, called or not. */
  pushGlobal(module: string, name: string): void {
    const fullName = `${module}.${name}`;
    if (!this.rules.globals.has(fullName)) throw refusedContent(this.rules.path, shown(fullName));
    this.push(this.rules.globals.get(fullName));
  }

  broken(found: string): Error {
    return brokenFile(this.rules.path, `${found} at byte ${this.position} of its pickle`, 'PyTorch');
  }
}
