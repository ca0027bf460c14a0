// Python sorts strings by code point, JavaScript by UTF-16 unit. They differ where a character beyond U+FFFF (stored as
// two units from D800 on) meets one from E000 to FFFF.

const surrogate = /[\ud800-\udfff]/;

/** Sorts in place as Python's sorted() does, and returns the array. */
export function sortByCodePoint(texts: string[]): string[] {
  texts.sort();
  return texts.some((text) => surrogate.test(text)) ? texts.sort(compareCodePoints) : texts;
}

/** Negative, zero or positive as `a` comes before, with or after `b` in code-point order. */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Moves the surrogates behind all other units. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
