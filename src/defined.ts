/** A value that is there, unless this program is wrong: then it throws `internal:` with what is broken. */
export function defined<T>(value: T | undefined, broken = 'two lists differ in length'): T {
  if (value === undefined) throw new Error(`internal: ${broken}`);
  return value;
}
