// Keeps large images from being in memory all at the same time.

/** Bytes of pixels that may be decoded at once. A single image may need more, and then is alone. */
const budgetBytes = 256 * 2 ** 20;

let usedBytes = 0;
const waiting: (() => void)[] = [];

/** Runs `work` as soon as there is room for the pixels that it decodes, first come, first served. */
export async function withRoomFor<T>(bytes: number, work: () => Promise<T>): Promise<T> {
  while (usedBytes > 0 && usedBytes + bytes > budgetBytes) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  usedBytes += bytes;
  try {
    return await work();
  } finally {
    usedBytes -= bytes;
    for (const wake of waiting.splice(0)) wake();
  }
}
