import type { ImageList } from '../data/image-list.js';

/** How many images each class has. */
export function classCounts(images: ImageList, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let index = 0; index < images.length; index++) {
    const { label } = images.at(index);
    counts[label] = (counts[label] ?? 0) + 1;
  }
  return counts;
}

/**
 * Weights by which all classes count alike, as scikit-learn's "balanced": images / (classes x the class's images). A
 * class without images has the weight 0.
 */
export function balancedWeights(counts: readonly number[]): number[] {
  const images = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (count === 0 ? 0 : images / (counts.length * count)));
}
