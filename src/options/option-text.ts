import { units } from './from-values.js';

/** An option as the command line takes it, `--name=value`; nothing where it is as if it were not given. */
export function optionText(name: string, value: unknown): string[] {
  if (value === undefined) return [];
  if (typeof value === 'boolean') return [`--${name}=${value ? 'True' : 'False'}`];
  const unit = typeof value === 'number' && Object.hasOwn(units, name) ? units[name as keyof typeof units] : '';
  return [`--${name}=${String(value)}${unit}`];
}
