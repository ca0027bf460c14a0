// Changes that break files in the ways that matter: bits, lengths, cuts, and pieces of other files.

import type { MersenneTwister } from '#src/data/random.js';

export type Mutation = (bytes: Buffer, random: Dice, other: Buffer) => Buffer;

export class Dice {
  private readonly source: MersenneTwister;

  constructor(source: MersenneTwister) {
    this.source = source;
  }

  /** Uniform over 0 .. end - 1, or 0 where that is empty. */
  below(end: number): number {
    return end > 0 ? this.source.nextUint32() % end : 0;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('internal: nothing to pick from');
    return item;
  }
}

const extremes = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn];
const wideExtremes = [...extremes, 2n ** 40n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const numerals = [
  '0',
  '-1',
  '1.5',
  '1e999',
  '9007199254740993',
  '99999999999999999999999',
  '4294967296',
  '""',
  '[]',
  'null',
];
/** Those that take lengths, make containers or call. */
const pickleOperations = '(0122.NKJMXTUBC\x8a\x8b\x8c\x8d\x8e\x96}])\x85\x86\x87tldaesuqrhj\x94cR\x81\x93ibQ\x80\x95';

export const mutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    return overwrite(bytes, random.below(bytes.length), (at) => [(bytes[at] ?? 0) ^ (1 << random.below(8))]);
  },
  function setByte(bytes, random) {
    return overwrite(bytes, random.below(bytes.length), () => [random.below(256)]);
  },
  function cut(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length));
  },
  function setLength(bytes, random) {
    const size = random.pick([1, 2, 4, 8]);
    const value = BigInt.asUintN(size * 8, random.pick([...wideExtremes, BigInt(bytes.length)]));
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(value);
    const little = [...number.subarray(0, size)];
    return overwrite(bytes, random.below(bytes.length), () => (random.below(4) === 0 ? little.reverse() : little));
  },
  function setNumeral(bytes, random) {
    const places = [...bytes.toString('latin1').matchAll(/\d+/g)];
    const place = places[random.below(places.length)];
    if (!place) return bytes;
    const end = place.index + place[0].length;
    return replace(bytes, place.index, end, Buffer.from(random.pick(numerals)));
  },
  function remove(bytes, random) {
    const start = random.below(bytes.length);
    return replace(bytes, start, start + 1 + random.below(16), Buffer.alloc(0));
  },
  function repeat(bytes, random) {
    const start = random.below(bytes.length);
    const piece = bytes.subarray(start, start + 1 + random.below(64));
    return replace(bytes, start, start, Buffer.concat(Array.from({ length: 1 + random.below(50) }, () => piece)));
  },
  function insertOperations(bytes, random) {
    const at = random.below(bytes.length);
    const codes = Array.from({ length: 1 + random.below(4) }, () =>
      pickleOperations.charCodeAt(random.below(pickleOperations.length)),
    );
    return replace(bytes, at, at, Buffer.from(codes));
  },
  function splice(bytes, random, other) {
    const [at, from] = [random.below(bytes.length), random.below(other.length)];
    return replace(bytes, at, at + random.below(64), other.subarray(from, from + random.below(256)));
  },
  function joinHalves(bytes, random, other) {
    return Buffer.concat([bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length))]);
  },
];

function replace(bytes: Buffer, start: number, end: number, piece: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, start), piece, bytes.subarray(end)]);
}

function overwrite(bytes: Buffer, at: number, make: (at: number) => number[]): Buffer {
  const piece = Buffer.from(make(at)).subarray(0, bytes.length - at);
  return replace(bytes, at, at + piece.length, piece);
}
