// The Mersenne Twister MT19937 and PyTorch's CPU randperm on top of it, so that splits equal those of the original
// program. Reference: https://www.math.sci.hiroshima-u.ac.jp/m-mat/MT/MT2002/emt19937ar.html

const stateSize = 624;
const middle = 397;

/** MT19937 as `init_genrand(seed)` starts it, the generator behind `torch.Generator().manual_seed(seed)` on the CPU. */
export class MersenneTwister {
  readonly #state = new Uint32Array(stateSize);
  #next = stateSize;

  /** Only the lowest 32 bits of the seed, an integer, count, as in PyTorch. */
  constructor(seed: number) {
    const state = this.#state;
    let word = Number(BigInt.asUintN(32, BigInt(seed)));
    state[0] = word;
    for (let i = 1; i < stateSize; i++) {
      word = (Math.imul(word ^ (word >>> 30), 1812433253) + i) >>> 0;
      state[i] = word;
    }
  }

  /** The next number, uniform over 0 .. 2^32 - 1. */
  nextUint32(): number {
    if (this.#next === stateSize) this.#regenerate();
    let word = this.#word(this.#next++);
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #word(index: number): number {
    return this.#state[index] ?? 0;
  }

  #regenerate(): void {
    for (let i = 0; i < stateSize; i++) {
      const mixed = (this.#word(i) & 0x80000000) | (this.#word((i + 1) % stateSize) & 0x7fffffff);
      this.#state[i] = this.#word((i + middle) % stateSize) ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}

/** A random permutation of 0 .. n - 1, the one `torch.randperm(n)` draws from the same generator. */
export function randperm(n: number, random: MersenneTwister): Uint32Array {
  const permutation = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n - 1; i++) {
    const j = i + (random.nextUint32() % (n - i));
    const swapped = permutation[i] ?? 0;
    permutation[i] = permutation[j] ?? 0;
    permutation[j] = swapped;
  }
  return permutation;
}

/**
 * The order in which an epoch visits `count` images: the same for the same seed and epoch, unrelated for others.
 * Seed and epoch are integers; the epoch is not negative.
 */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  const mixed = scramble(scramble(BigInt(seed)) + BigInt(epoch));
  return randperm(count, new MersenneTwister(Number(mixed & 0xffffffffn)));
}

/** A generator for one image of one epoch: the same for the same three integers, unrelated for others. */
export function imageRandom(seed: number, epoch: number, index: number): MersenneTwister {
  const mixed = scramble(scramble(scramble(BigInt(seed)) + BigInt(epoch)) + BigInt(index));
  return new MersenneTwister(Number(mixed & 0xffffffffn));
}

/** The step of splitmix64: neighbouring values come out unrelated, so that no two seeds share shifted epochs. */
function scramble(value: bigint): bigint {
  let z = BigInt.asUintN(64, value + 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}
