// Reads options from a YAML file. Scalars are taken as they stand in the file, not as YAML would type them, so that
// `run_name: 007` keeps its zeros and every value passes the check that it would pass on the command line.
import { readFileSync } from 'node:fs';
import { type Document, isAlias, isMap, isScalar, LineCounter, type Node, parseDocument, type Scalar } from 'yaml';
import { UserError } from '../errors.js';
import { findOption, type Given, type GivenOptions, quoted } from './given.js';
import { didYouMean, nearest } from './nearest.js';
import type { OptionTable } from './spec.js';

/**
 * The options in a YAML file, a mapping from option names (underscores or dashes) to single values.
 * @throws UserError naming file and line: unreadable, not YAML, not such a mapping, or an unknown or repeated name.
 */
export function readConfigFile(path: string, table: OptionTable): GivenOptions {
  const lines = new LineCounter();
  const document = parseDocument(readText(path), { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => `${path}, line ${lines.linePos(offset).line}`;
  const lineOf = (node: Node) => lineAt(node.range?.[0] ?? 0);
  refuseErrors(document, lineAt);

  const given = new Map<string, Given>();
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return given;
  if (!isMap<Node, Node | null>(contents)) {
    const found = isScalar(contents) ? 'a single value' : 'a list';
    throw new UserError(`${lineOf(contents)}: no options here`, { expected: "lines like 'epochs: 20'", found });
  }
  for (const { key, value } of contents.items) {
    const name = isScalar(key) ? sourceOf(key) : undefined;
    if (name === undefined)
      throw new UserError(`${lineOf(key)}: an option's name must be plain text`, { mend: 'Write `name: value`' });
    const option = findOption(table, name);
    if (option === undefined) throw unknownName(name, lineOf(key), table);
    if (option.name === 'config') {
      throw new UserError(`${lineOf(key)}: a configuration file cannot name another one`, { mend: 'Leave it out' });
    }
    if (given.has(option.name)) {
      throw new UserError(`${lineOf(key)}: ${option.name} is given twice`, { mend: 'Keep one of the two lines' });
    }
    const scalar = singleValue(value, document, `${name} (${lineOf(key)})`, option.spec.expected);
    const isLeftOut = scalar.value === null && option.spec.default() === undefined && sourceOf(scalar) !== '';
    if (!isLeftOut) given.set(option.name, { value: sourceOf(scalar), where: `${name} (${lineOf(key)})` });
  }
  return given;
}

export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const reasons: Record<string, string> = {
      ENOENT: 'no such file',
      EISDIR: 'a folder',
      EACCES: 'no permission to read it',
    };
    throw new UserError(
      `Cannot read the configuration file ${quoted(path)}`,
      { expected: 'a YAML file', found: reasons[code] ?? code },
      { cause: error },
    );
  }
}

/** @throws UserError for the first thing that is wrong with a document; `lineAt` names the line of an offset. */
export function refuseErrors(document: Document.Parsed, lineAt: (offset: number) => string): void {
  const problem = document.errors[0];
  if (problem === undefined) return;
  const line = lineAt(problem.pos[0]);
  if (problem.code === 'DUPLICATE_KEY') {
    throw new UserError(`${line}: an option is given twice`, { mend: 'Keep one of the two lines' });
  }
  if (problem.code === 'MULTIPLE_DOCS') {
    throw new UserError(`${line}: a second document starts here`, { expected: 'one YAML document in the file' });
  }
  throw new UserError(`${line}: not valid YAML`, { found: problem.message.replace(/\.$/, '') }, { cause: problem });
}

function singleValue(value: Node | null, document: Document, where: string, expected: string): Scalar {
  const node = isAlias(value) ? value.resolve(document) : value;
  if (isScalar(node)) return node;
  const found = node === null || node === undefined ? 'nothing' : isMap(node) ? 'nested options' : 'a list';
  throw new UserError(`Bad value for ${where}`, { expected, found });
}

/** A scalar as the user wrote it. */
export function sourceOf(scalar: Scalar): string {
  return scalar.source ?? String(scalar.value ?? '');
}

function unknownName(name: string, line: string, table: OptionTable): UserError {
  const suggestion = nearest(name, Object.keys(table));
  return new UserError(`${line}: unknown option ${quoted(name)}`, {
    mend: didYouMean(suggestion, 'See deep-cnn --help for all options'),
  });
}
