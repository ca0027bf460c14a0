// The vocabulary of the option table: one builder for each kind of value. Every value arrives as text, whether from the
// command line or from a configuration file, and passes the same parser.

/** One option: what `--help` shows, its default, and how its text is read. */
export interface OptionSpec<T> {
  /** Heading under which `--help` lists it. */
  readonly group: string;
  readonly help: string;
  /** The kind of value, as `--help` shows it. */
  readonly type: string;
  /** Completes "expected ..." in an error message. */
  readonly expected: string;
  /** Asked only when the option is given nowhere. */
  readonly default: () => T;
  readonly defaultText: string;
  /** A bare `--name` means True and `--no-name` means False. */
  readonly isFlag: boolean;
  /** What a bare `--name` means, where it may be bare without being a flag. */
  readonly bare?: T;
  /** Whether a text means the same as leaving the option out; where this is there, `--no-name` means it too. */
  readonly isAbsence?: (text: string) => boolean;
  readonly choices: readonly string[];
  /** The value, or undefined when the text is none of this kind or out of range. */
  readonly parse: (text: string) => T | undefined;
}

/** Options by name; names use underscores. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** The values that a table describes. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionSpec<infer T> ? T : never;
};

interface Described {
  group: string;
  help: string;
}

interface NumberRange extends Described {
  default: number | (() => number);
  /** What `--help` shows in place of the number. */
  defaultText?: string;
  /** Completes "expected ...", range included. */
  expected: string;
  isInRange: (value: number) => boolean;
}

const integerPattern = /^[+-]?\d+$/;
const decimalPattern = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** A range of integers, both ends in it, as words and as a check; without `most`, it has no end. */
export function integersFrom(least: number, most?: number): Pick<NumberRange, 'expected' | 'isInRange'> {
  return {
    expected: most === undefined ? `an integer, ${least} or more` : `an integer from ${least} to ${most}`,
    isInRange: (value) => value >= least && value <= (most ?? Number.POSITIVE_INFINITY),
  };
}

/** A whole number within a range. */
export function integer(spec: NumberRange): OptionSpec<number> {
  return number('integer', integerPattern, { ...spec, isInRange: (v) => Number.isSafeInteger(v) && spec.isInRange(v) });
}

/** A decimal number within a range that a float32 can hold; 1e-3 is one, NaN, Infinity and 1e39 are not. */
export function decimal(spec: NumberRange): OptionSpec<number> {
  const isInRange = (v: number) => Number.isFinite(Math.fround(v)) && spec.isInRange(v);
  return number('number', decimalPattern, { ...spec, isInRange });
}

/** A decimal number that may be left out; `defaultText` says what happens then. */
export function optionalDecimal(
  spec: Omit<NumberRange, 'default'> & { defaultText: string },
): OptionSpec<number | undefined> {
  return { ...decimal({ ...spec, default: Number.NaN }), default: () => undefined };
}

function number(type: string, pattern: RegExp, spec: NumberRange): OptionSpec<number> {
  const { default: given } = spec;
  return {
    ...describedBy(spec),
    type,
    expected: spec.expected,
    default: typeof given === 'function' ? given : () => given,
    defaultText: spec.defaultText ?? String(given),
    isFlag: false,
    choices: [],
    parse: (text) => {
      // Adding 0 makes 0 of -0.
      const value = pattern.test(text) ? Number(text) + 0 : Number.NaN;
      return spec.isInRange(value) ? value : undefined;
    },
  };
}

const flagValues = new Map([
  ['true', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['0', false],
]);

/** True or False, in any of the ways people write them. */
export function flag(spec: Described & { default: boolean }): OptionSpec<boolean> {
  return {
    ...describedBy(spec),
    type: 'True|False',
    expected: 'True, False, yes, no, 1 or 0',
    default: () => spec.default,
    defaultText: spec.default ? 'True' : 'False',
    isFlag: true,
    choices: [],
    parse: (text) => flagValues.get(text.toLowerCase()),
  };
}

/** One of a fixed list of words. */
export function choice<const T extends string>(
  spec: Described & { choices: readonly T[]; default: NoInfer<T> },
): OptionSpec<T> {
  return {
    ...describedBy(spec),
    type: spec.choices.join('|'),
    expected: spec.choices.length === 1 ? `${spec.choices[0]}` : `one of ${spec.choices.join(', ')}`,
    default: () => spec.default,
    defaultText: spec.default,
    isFlag: false,
    choices: spec.choices,
    parse: (text) => spec.choices.find((allowed) => allowed === text),
  };
}

/**
 * A text that may be left out; the bare option means `bare`. Whoever takes it for a flag is understood: True is the bare
 * option, False is as if it were left out.
 */
export function bareOrText<const T extends string>(
  spec: TextShape & { bare: T },
): OptionSpec<T | (string & {}) | undefined> {
  const shape = textShape(spec);
  const asFlag = (text: string) => flagValues.get(text.toLowerCase());
  return {
    ...shape,
    default: () => undefined,
    defaultText: 'none',
    bare: spec.bare,
    isAbsence: (text) => asFlag(text) === false,
    parse: (text) => (asFlag(text) === true ? spec.bare : shape.parse(text)),
  };
}

/**
 * A length of time in seconds that may be left out: `90m`, `1.5h`, `45s`, `1d12h`, or as schedulers write it, `HH:MM:SS` and
 * `D-HH:MM:SS`.
 */
export function duration(spec: Described & { defaultText: string }): OptionSpec<number | undefined> {
  const expected = 'a length of time such as 90m, 1.5h, 01:30:00 or 1-12:00:00';
  return optionalParsed({ ...spec, type: 'time', expected, parse: parseDuration });
}

/** A value of its own notation that may be left out. */
function optionalParsed<T>(
  spec: Described & Pick<OptionSpec<T>, 'type' | 'expected' | 'defaultText' | 'parse'>,
): OptionSpec<T | undefined> {
  const { type, expected, defaultText, parse } = spec;
  return {
    ...describedBy(spec),
    type,
    expected,
    default: () => undefined,
    defaultText,
    isFlag: false,
    choices: [],
    parse,
  };
}

const amount = String.raw`(\d+(?:\.\d*)?|\.\d+)`;
const withUnits = new RegExp(`^(?:${amount}d)?(?:${amount}h)?(?:${amount}m)?(?:${amount}s)?$`);
const asClock = /^(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)$/;

/** Seconds, more than 0; undefined when the text is no length of time. */
function parseDuration(text: string): number | undefined {
  const [, days, hours, minutes, seconds] = withUnits.exec(text) ?? asClock.exec(text) ?? [];
  const count = (part: string | undefined) => Number(part ?? 0);
  const total = count(days) * 86_400 + count(hours) * 3600 + count(minutes) * 60 + count(seconds);
  return total > 0 && Number.isFinite(total) ? total : undefined;
}

/** An amount of memory in megabytes that may be left out: `24gb`, `24G`, `500mb`. */
export function memorySize(spec: Described & { defaultText: string }): OptionSpec<number | undefined> {
  return optionalParsed({
    ...spec,
    type: 'size',
    expected: 'an amount of memory such as 24gb or 500mb',
    parse: parseMemory,
  });
}

function parseMemory(text: string): number | undefined {
  const match = /^(\d{1,9})([mgt])b?$/i.exec(text);
  if (!match) return undefined;
  const megabytes = Number(match[1]) * { m: 1, g: 1024, t: 1024 ** 2 }[match[2]?.toLowerCase() as 'm' | 'g' | 't'];
  return megabytes > 0 ? megabytes : undefined;
}

interface TextShape extends Described {
  /** The kind of text; 'text' unless told. */
  type?: string;
  /** Completes "expected ..."; any text that is not empty unless told. */
  expected?: string;
  isValid?: (text: string) => boolean;
}

/** A text with a default. */
export function text(spec: TextShape & { default: string | (() => string); defaultText?: string }): OptionSpec<string> {
  const { default: given } = spec;
  return {
    ...textShape(spec),
    default: typeof given === 'function' ? given : () => given,
    defaultText: spec.defaultText ?? String(given),
  };
}

/** A text that may be left out. */
export function optionalText(spec: TextShape): OptionSpec<string | undefined> {
  return { ...textShape(spec), default: () => undefined, defaultText: 'none' };
}

function textShape(spec: TextShape) {
  const isValid = spec.isValid ?? ((value: string) => value !== '' && !value.includes('\0'));
  return {
    ...describedBy(spec),
    type: spec.type ?? 'text',
    expected: spec.expected ?? `a ${spec.type ?? 'text'}`,
    isFlag: false,
    choices: [],
    parse: (value: string) => (isValid(value) ? value : undefined),
  };
}

function describedBy({ group, help }: Described): Described {
  return { group, help };
}
