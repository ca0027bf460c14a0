// Options as text, the way users write them: for logs, messages, pages and command lines alike.

/** Options with a notation of their own, such as `90m` and `8G`, and the unit of a mere number: seconds, megabytes. */
export const units = { time_limit: 's', gpu_memory_limit: 'm' } as const;

/** A number with the option's unit, where it has one; anything else as it is. */
export function withUnit(name: string, value: string | number): string {
  const unit = typeof value === 'number' && Object.hasOwn(units, name) ? units[name as keyof typeof units] : '';
  return `${value}${unit}`;
}

/** What to write after `--name=` for this value; `none` where the option is as if it were not given. */
export function valueText(name: string, value: unknown): string {
  if (value === undefined || value === null) return 'none';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'number' ? withUnit(name, value) : String(value);
}

/** `name=value` for a line in which others stand, too: a text that is no plain word is in double quotes. */
export function assignmentText(name: string, value: unknown): string {
  const text = valueText(name, value);
  return `${name}=${/^[^\s,'"=]+$/.test(text) ? text : JSON.stringify(text)}`;
}

/** An option as an argument of the command line, `--name=value`; nothing where it is as if it were not given. */
export function optionText(name: string, value: unknown): string[] {
  return value === undefined ? [] : [`--${name}=${valueText(name, value)}`];
}
