// Which classes are the most likely.

/** The class of the highest probability; the first one of several. */
export function mostLikely(probabilities: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < probabilities.length; index++) {
    if ((probabilities[index] ?? 0) > (probabilities[best] ?? 0)) best = index;
  }
  return best;
}

/** The `k` most likely classes, or all where there are fewer, the most likely one first. */
export function topClasses(probabilities: Float32Array, k: number): number[] {
  const indices = Array.from(probabilities.keys());
  return indices.sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0) || a - b).slice(0, k);
}

/** How many classes are more likely than `label`; infinite where its probability is no number. */
export function rankOf(label: number, probabilities: Float32Array): number {
  const own = probabilities[label] ?? Number.NaN;
  if (Number.isNaN(own)) return Number.POSITIVE_INFINITY;
  return probabilities.reduce((rank, value) => (value <= own ? rank : rank + 1), 0);
}
