/** Numbers from 0 to below 1 that follow from the seed alone, one row for each `name`. */
export function randomRow(seed: number, name: string): () => number {
  let state = [...name].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193), 0x811c9dc5 ^ seed);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let bits = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** `count` of the numbers from 1 to `total`, as far apart as they can be; all of them where there are not so many. */
export function spread(total: number, count: number): number[] {
  const taken = Math.min(total, count);
  return Array.from({ length: taken }, (_, index) => 1 + Math.round((index * (total - 1)) / Math.max(1, taken - 1)));
}
