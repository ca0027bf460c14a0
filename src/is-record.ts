/** Whether a value, as of JSON, is an object rather than a list or anything simpler. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
