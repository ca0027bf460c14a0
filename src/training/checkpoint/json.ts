// JSON that keeps what JSON drops: numbers that are not finite, and minus zero.

const marker = '$number';

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== 'number' || (Number.isFinite(part) && !Object.is(part, -0))) return part;
    return { [marker]: Object.is(part, -0) ? '-0' : String(part) };
  });
}

/** What `toJson` was given; members that were undefined are absent. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, part: unknown) => {
    const isMarked = typeof part === 'object' && part !== null && marker in part;
    return isMarked ? Number(part[marker]) : part;
  });
}
