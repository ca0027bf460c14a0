// Reads a sweep's file: YAML with the keys of W&B's sweep configuration, as far as they mean something here.

import { basename } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { UserError } from '../errors.js';
import { readText, refuseErrors, sourceOf } from '../options/config-file.js';
import { findOption, quoted } from '../options/given.js';
import { didYouMean, nearest } from '../options/nearest.js';
import { isPlainFileName } from '../options/run-name.js';
import { trainOptions } from '../options.js';
import { directionOf, type EarlyTerminate, methods, metrics, prunerTypes, type SweepDefinition } from './definition.js';
import { type Parameter, readParameter } from './parameters.js';

/** What the file says; how many trials a grid has is found out later. */
export type SweepFile = Omit<SweepDefinition, 'runCap'> & { runCap: number | undefined };

/** Options that a sweep decides about by itself. */
export const ownOptions: readonly string[] = [
  'run_name',
  'root_dir',
  'resume',
  'time_limit',
  'config',
  'test',
  'gpu_memory_limit',
];

const keys = {
  name: 'a plain file name',
  description: 'a text',
  method: `one of ${methods.join(', ')}`,
  metric: 'a name and a goal',
  parameters: 'options of training',
  early_terminate: 'a type and min_iter',
  run_cap: 'an integer, 1 or more',
  retries: 'an integer, 0 or more',
  seed: 'an integer, 0 or more',
  storage: "Optuna's URL of a database",
};

/** Keys of W&B's that would say what is fixed here. */
const foreignKeys = new Set(['program', 'command', 'project', 'entity', 'controller', 'job', 'image_uri']);

/**
 * The sweep that a file describes, every key and value checked but for what depends on others.
 * @throws UserError naming file and line.
 */
export function readSweepFile(path: string): SweepFile {
  const lines = new LineCounter();
  const document = parseDocument(readText(path), { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => `${path}, line ${lines.linePos(offset).line}`;
  refuseErrors(document, lineAt);
  const top = entriesOf(document.contents, path, lineAt);
  for (const { name, where } of top.values()) {
    if (Object.hasOwn(keys, name)) continue;
    const suggestion = nearest(name, Object.keys(keys));
    const mend = foreignKeys.has(name) ? 'Leave it out' : didYouMean(suggestion);
    throw new UserError(`Unknown key ${where}`, { expected: Object.keys(keys).join(', '), mend });
  }
  const text = (key: keyof typeof keys) => top.get(key)?.text(keys[key]);
  const number = (key: 'run_cap' | 'retries' | 'seed', least: number) => integerOf(top.get(key), keys[key], least);
  const name = text('name') ?? basename(path).replace(/\.[^.]*$/, '');
  // Room is left for a trial's number.
  if (!isPlainFileName(`${name}-123456`)) {
    throw new UserError('Bad name of the sweep', { expected: trainOptions.run_name.expected, found: quoted(name) });
  }
  return {
    name,
    method: oneOf(methods, top.get('method'), `${path}: method`),
    metric: readMetric(top.get('metric')),
    parameters: readParameters(top.get('parameters'), path),
    earlyTerminate: readEarlyTerminate(top.get('early_terminate')),
    runCap: number('run_cap', 1),
    retries: number('retries', 0) ?? 2,
    seed: number('seed', 0) ?? 42,
    storage: text('storage'),
  };
}

/** A key with what stands after it. */
interface Entry {
  name: string;
  /** `lr (sweep.yaml, line 4)` */
  where: string;
  /** Its single value, as it is written. Throws a `UserError` where it has none. */
  text(expected: string): string;
  /** The texts of a list of single values. */
  list(): readonly string[];
  /** The keys below it. */
  entries(): ReadonlyMap<string, Entry>;
  isList: boolean;
}

function entriesOf(node: unknown, where: string, lineAt: (offset: number) => string): ReadonlyMap<string, Entry> {
  if (!isMap<Node, Node | null>(node))
    throw new UserError(`${where} has no keys`, { expected: "lines like 'name: value'" });
  const entries = node.items.map(({ key, value }): Entry => {
    const name = isScalar(key) ? sourceOf(key) : undefined;
    const line = lineAt(key.range?.[0] ?? 0);
    if (name === undefined) throw new UserError(`${line}: a key must be plain text`);
    const own = `${name} (${line})`;
    const single = (each: unknown, expected: string) => {
      if (isScalar(each) && each.value !== null) return sourceOf(each);
      const found = isMap(each) ? 'keys of its own' : isSeq(each) ? 'a list' : 'nothing';
      throw new UserError(`Bad value for ${own}`, { expected, found });
    };
    return {
      ...{ name, where: own, isList: isSeq(value) },
      text: (expected) => single(value, expected),
      list: () => (isSeq(value) ? value.items.map((item) => single(item, 'single values in the list')) : []),
      entries: () => entriesOf(value, own, lineAt),
    };
  });
  return new Map(entries.map((entry) => [entry.name, entry]));
}

function oneOf<const T extends string>(choices: readonly T[], entry: Entry | undefined, missing: string): T {
  const expected = `one of ${choices.join(', ')}`;
  if (entry === undefined) throw new UserError(`${missing} is missing`, { expected });
  const given = entry.text(expected);
  const found = choices.find((choice) => choice === given);
  if (found !== undefined) return found;
  const suggestion = nearest(given, choices);
  throw new UserError(`Bad value for ${entry.where}`, { expected, found: quoted(given), mend: didYouMean(suggestion) });
}

function integerOf(entry: Entry | undefined, expected: string, least: number): number | undefined {
  if (entry === undefined) return undefined;
  const given = entry.text(expected);
  if (/^\d{1,9}$/.test(given) && Number(given) >= least) return Number(given);
  throw new UserError(`Bad value for ${entry.where}`, { expected, found: quoted(given) });
}

function onlyKeys(entries: ReadonlyMap<string, Entry>, known: readonly string[]): void {
  for (const { name, where } of entries.values()) {
    if (!known.includes(name)) throw new UserError(`Unknown key ${where}`, { expected: known.join(', ') });
  }
}

function readMetric(entry: Entry | undefined): SweepDefinition['metric'] {
  if (entry === undefined) return 'val_loss';
  const entries = entry.entries();
  onlyKeys(entries, ['name', 'goal']);
  const given = entries.get('name');
  const name = given?.text(metrics.join(', '));
  if (given && name !== undefined && /^(test|train)_/.test(name)) {
    throw new UserError(`Bad value for ${given.where}`, {
      expected: metrics.join(', '),
      found: quoted(name),
      mend: 'Runs are chosen by validation images, which neither training nor the test at the end uses',
    });
  }
  const metric = oneOf(metrics, given, `The name in ${entry.where}`);
  const goal = entries.get('goal');
  if (goal && oneOf(['minimize', 'maximize'], goal, '') !== directionOf(metric)) {
    throw new UserError(`Bad value for ${goal.where}`, { expected: `${directionOf(metric)} with ${metric}` });
  }
  return metric;
}

function readParameters(entry: Entry | undefined, path: string): readonly Parameter[] {
  if (entry === undefined) throw new UserError(`${path}: parameters are missing`, { expected: keys.parameters });
  const read = [...entry.entries().values()].map((each) => {
    const option = findOption(trainOptions, each.name);
    if (option === undefined) {
      const suggestion = nearest(each.name, Object.keys(trainOptions));
      throw new UserError(`Unknown option ${each.where}`, {
        mend: didYouMean(suggestion, 'See deep-cnn --help for all options'),
      });
    }
    if (ownOptions.includes(option.name)) {
      throw new UserError(`The sweep itself decides about ${each.where}`, { mend: 'Leave it out' });
    }
    const below = [...each.entries().values()];
    const lists = below.filter(({ isList }) => isList);
    const stray = lists.find(({ name }) => name !== 'values');
    if (stray) throw new UserError(`Bad value for ${stray.where}`, { expected: 'a single value', found: 'a list' });
    const scalars = below.filter(({ isList }) => !isList);
    const single = scalars.find(({ name }) => name === 'values');
    if (single) throw new UserError(`Bad value for ${single.where}`, { expected: 'a list such as [0.1, 0.01]' });
    return readParameter(
      {
        ...{ name: option.name, where: each.where },
        scalars: new Map(scalars.map((scalar) => [scalar.name, scalar.text('a single value')])),
        values: lists[0]?.list(),
      },
      option.spec,
    );
  });
  const names = read.map(({ name }) => name);
  const twice = read.find(({ name }, index) => names.indexOf(name) < index);
  if (twice) throw new UserError(`${twice.where} is given twice`, { mend: 'Keep one of the two' });
  return read;
}

function readEarlyTerminate(entry: Entry | undefined): EarlyTerminate | undefined {
  if (entry === undefined) return undefined;
  const entries = entry.entries();
  onlyKeys(entries, ['type', 'min_iter', 'eta']);
  const type = oneOf(prunerTypes, entries.get('type'), `The type in ${entry.where}`);
  const eta = entries.get('eta');
  if (eta && type === 'median') throw new UserError(`${eta.where} says nothing of median`, { mend: 'Leave it out' });
  return {
    type,
    min_iter: integerOf(entries.get('min_iter'), 'an integer, 1 or more', 1) ?? 1,
    eta: integerOf(eta, 'an integer, 2 or more', 2),
  };
}
