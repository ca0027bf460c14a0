/** Room is left for the time stamp and the ending, in the 255 bytes that file systems allow. */
export const maxNameBytes = 180;

/**
 * Whether a run's files can carry the name. A first dot would hide them, a first dash make other programs take them for
 * options, and `<run>.best.safetensors` is the best model of `<run>`.
 */
export function isPlainFileName(name: string): boolean {
  return (
    name.trim() === name &&
    /^[^/\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]+$/u.test(name) &&
    !/^[.-]|\.$|\.best$|\.\./i.test(name) &&
    Buffer.byteLength(name) <= maxNameBytes
  );
}
