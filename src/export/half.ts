// Numbers of 16 bits: IEEE 754 binary16, 1 bit of sign, 5 of exponent, 10 of fraction.

/** The largest finite one. */
export const largestHalf = 65_504;

/** The nearest binary16 of each number, ties to even; what is larger than the largest becomes infinite. */
export function toHalf(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (const [index, word] of words.entries()) halves[index] = halfOf(word);
  return halves;
}

function halfOf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x4780_0000) return sign | 0x7c00; // 2¹⁶ and more
  // Below 2⁻¹⁴ the steps are 2⁻²⁴ throughout.
  if (magnitude < 0x3880_0000) return sign | roundedToEven(floatOf(magnitude) * 2 ** 24);
  // Rounds 13 bits away, which may carry into the exponent, as it should.
  const rounded = magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1);
  return sign | (rounded >>> 13);
}

const scratch = new Uint32Array(1);
const scratchFloat = new Float32Array(scratch.buffer);

function floatOf(word: number): number {
  scratch[0] = word;
  return scratchFloat[0] ?? 0;
}

function roundedToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
