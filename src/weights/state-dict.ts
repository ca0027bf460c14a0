// Weights in memory: torchvision's names and shapes, row-major float32.

export interface StoredTensor {
  shape: readonly number[];
  data: Float32Array;
}

/** Weights by torchvision's names, in torchvision's order. */
export type StateDict = ReadonlyMap<string, StoredTensor>;

export interface WeightsFile {
  weights: StateDict;
  /** What the file says of itself. */
  metadata: Readonly<Record<string, string>>;
}

export interface ExpectedTensor {
  name: string;
  shape: readonly number[];
}

/** PyTorch's count of batches, which nothing here needs. */
export const isBatchCounter = (name: string) => name.endsWith('.num_batches_tracked');
