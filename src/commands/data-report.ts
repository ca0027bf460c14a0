// What `deep-cnn data check` makes of what it found: as text, as JSON, and as a table of files.

import { relative } from 'node:path';
import type { CheckedFile, ClassCount, DuplicateKind, Findings } from '../data/check.js';
import { shownPath } from '../data/shown-path.js';
import { smallSide } from '../data/small-images.js';
import { csvRow } from '../reporting/csv.js';
import { mostLeftOut } from '../training/bad-images.js';

/** One thing to say of a data set. */
export interface Finding {
  /** Keeps a run from starting or finishing, or makes its results mislead. */
  isProblem: boolean;
  /** A sentence. */
  text: string;
  /** Files or groups of files that it is about, a line each. */
  examples: readonly string[];
  /** How many of the examples are shown. */
  shown: number;
}

export interface Checked {
  dataDir: string;
  valSplit: number;
  findings: Findings;
}

/** Everything worth saying, problems first. */
export function judge({ dataDir, valSplit, findings }: Checked): Finding[] {
  const { mistakes, warnings, unreadable, small } = findings;
  const name = (file: CheckedFile) => shownPath(relative(dataDir, file.path));
  const allowed = mostLeftOut(findings.images);
  const some: (Finding | undefined)[] = [
    ...mistakes.map((text) => finding(true, text)),
    unreadable.length === 0
      ? undefined
      : finding(
          unreadable.length > allowed,
          `${counted(unreadable.length, 'image', 'images')} can't be read; a run leaves out at most 1 % of ` +
            `${grouped(findings.images)}, ${grouped(allowed)}.`,
          unreadable.map((file) => `${name(file)}: ${file.reason}`),
          20,
        ),
    ...duplicateKinds.map(({ kind, isProblem, says }) => {
      const groups = findings.duplicates.filter(({ kinds }) => kinds.includes(kind));
      if (groups.length === 0) return undefined;
      const lines = groups.map(({ files }) => groupLine(files.map((file) => told(file, kind, name))));
      return finding(isProblem, `${counted(groups.length, 'picture', 'pictures')} ${says(valSplit)}.`, lines);
    }),
    ...warnings.map((text) => finding(false, text)),
    ...classFindings(findings.classes, valSplit),
    small.length === 0
      ? undefined
      : finding(
          false,
          `${counted(small.length, 'image has', 'images have')} a side shorter than ${smallSide} pixels.`,
          small.map((file) => `${name(file)}: ${file.width} x ${file.height}`),
        ),
  ];
  const all = some.filter((one) => one !== undefined);
  return [...all.filter(({ isProblem }) => isProblem), ...all.filter(({ isProblem }) => !isProblem)];
}

const duplicateKinds: readonly { kind: DuplicateKind; isProblem: boolean; says: (valSplit: number) => string }[] = [
  {
    kind: 'train-test',
    isProblem: true,
    says: () => 'in train and in val: the test would measure what was learnt by heart',
  },
  {
    kind: 'train-validation',
    isProblem: true,
    says: (valSplit) =>
      `more than once in train, on both sides of --val_split=${valSplit}: the validation would measure what was learnt by heart`,
  },
  { kind: 'classes', isProblem: false, says: () => 'in more than one class: at most one can be right' },
  { kind: 'copies', isProblem: false, says: () => 'more than once in one class' },
];

/** A file of a group of equal ones, and on which side of the split it is where that matters. */
function told(file: CheckedFile, kind: DuplicateKind, name: (file: CheckedFile) => string): string {
  return kind === 'train-validation' && file.part === 'validation' ? `${name(file)} (validation)` : name(file);
}

/** The first few of a group of equal files, which may be large. */
function groupLine(names: readonly string[], shown = 4): string {
  const more = names.length - shown;
  return names.slice(0, shown).join(' = ') + (more > 0 ? ` and ${grouped(more)} more` : '');
}

/** From how many times as many images on a class is worth mentioning. */
const imbalanceFrom = 10;

function classFindings(classes: readonly ClassCount[], valSplit: number): (Finding | undefined)[] {
  const trainable = classes.filter((one) => one.train + one.validation > 0);
  const without = (part: 'train' | 'validation') => trainable.filter((one) => one[part] === 0).map(({ name }) => name);
  const untrained = without('train');
  const unvalidated = valSplit > 0 ? without('validation') : [];
  const { ratio } = classSizes(classes) ?? { ratio: 1 };
  const split = `--val_split=${valSplit}`;
  return [
    untrained.length > 0
      ? finding(
          false,
          `${counted(untrained.length, 'class has', 'classes have')} no image to train on with ${split}.`,
          untrained.map(shownPath),
        )
      : undefined,
    unvalidated.length > 0
      ? finding(
          false,
          `${counted(unvalidated.length, 'class has', 'classes have')} no image to validate on with ${split}.`,
          unvalidated.map(shownPath),
        )
      : undefined,
    ratio >= imbalanceFrom
      ? finding(
          false,
          `The largest class has ${ratio.toFixed(1)} times the images of the smallest: --class_weights=auto makes up for it.`,
        )
      : undefined,
  ];
}

interface ClassSizes {
  smallest: { name: string; images: number };
  largest: { name: string; images: number };
  median: number;
  /** Of the largest to the smallest. */
  ratio: number;
}

/** How large the classes of the train folder are, but for empty ones. */
function classSizes(classes: readonly ClassCount[]): ClassSizes | undefined {
  const sizes = classes
    .map(({ name, train, validation }) => ({ name, images: train + validation }))
    .filter(({ images }) => images > 0)
    .sort((a, b) => a.images - b.images);
  const [smallest, largest] = [sizes[0], sizes.at(-1)];
  if (smallest === undefined || largest === undefined) return undefined;
  const middle = sizes.length / 2;
  const median = ((sizes[Math.ceil(middle) - 1]?.images ?? 0) + (sizes[Math.floor(middle)]?.images ?? 0)) / 2;
  return { smallest, largest, median, ratio: largest.images / smallest.images };
}

function sizesLine({ smallest, largest, median, ratio }: ClassSizes): string {
  if (smallest.images === largest.images) return `${counted(smallest.images, 'image', 'images')} of each in train`;
  const [from, to] = [smallest, largest].map(({ name, images }) => `${grouped(images)} (${shownPath(name)})`);
  return `${from} to ${to} images in train, median ${grouped(median)}, ratio ${ratio.toFixed(1)}`;
}

function finding(isProblem: boolean, text: string, examples: readonly string[] = [], shown = 5): Finding {
  return { isProblem, text, examples, shown };
}

/** The report as text: what is there, what is wrong, and what else is worth knowing. */
export function formatReport(checked: Checked, judged: readonly Finding[]): string {
  const { dataDir, valSplit, findings } = checked;
  const { classes, folders } = findings;
  const total = (part: 'train' | 'validation' | 'test') => classes.reduce((sum, one) => sum + one[part], 0);
  const [train, validation, test] = [total('train'), total('validation'), total('test')];
  const sizes = classSizes(classes);
  const lines = [
    shownPath(dataDir),
    `  train  ${counted(train + validation, 'image', 'images')} of ${counted(folders.train.classes.length, 'class', 'classes')}: ` +
      `${grouped(train)} to train on, ${grouped(validation)} to validate on (--val_split=${valSplit})`,
    folders.test === undefined
      ? '  val    none'
      : `  val    ${counted(test, 'image', 'images')} of ${counted(folders.test.classes.length, 'class', 'classes')}`,
  ];
  if (sizes !== undefined) lines.push(`  class  ${sizesLine(sizes)}`);
  if (findings.images > 0) {
    lines.push(
      `All checked in ${findings.seconds.toFixed(1)} s (decoding: ${grouped(Math.round(findings.imagesPerSecond))} images/s).`,
    );
  }
  const problems = judged.filter(({ isProblem }) => isProblem);
  const notes = judged.filter(({ isProblem }) => !isProblem);
  lines.push('', problems.length === 0 ? 'No problems found.' : 'Problems', ...problems.flatMap(formatFinding));
  if (notes.length > 0) lines.push('', 'Worth knowing', ...notes.flatMap(formatFinding));
  return `${lines.join('\n')}\n`;
}

function formatFinding({ isProblem, text, examples, shown }: Finding): string[] {
  const more = examples.length - shown;
  return [
    `${isProblem ? '! ' : '- '}${text}`,
    ...examples.slice(0, shown).map((example) => `    ${example}`),
    ...(more > 0 ? [`    and ${grouped(more)} more`] : []),
  ];
}

/** The report for programs: everything found, without abbreviation. */
export function reportJson({ dataDir, valSplit, findings }: Checked, judged: readonly Finding[]): string {
  const { folders, classes, unreadable, duplicates, small } = findings;
  const [train, test] = [folders.train, folders.test];
  const missing = (from: readonly string[], names: readonly string[]) => names.filter((name) => !from.includes(name));
  const texts = (isProblem: boolean) => judged.filter((one) => one.isProblem === isProblem).map(({ text }) => text);
  return `${JSON.stringify(
    {
      data_dir: dataDir,
      val_split: valSplit,
      images: findings.images,
      seconds: findings.seconds,
      images_per_second: findings.imagesPerSecond,
      problems: texts(true),
      notes: texts(false),
      classes,
      class_sizes: classSizes(classes) ?? null,
      classes_missing_in_val: test === undefined ? [] : missing(test.classes, train.classes),
      classes_only_in_val: test === undefined ? [] : missing(train.classes, test.classes),
      left_out: {
        train: Object.fromEntries(train.leftOut),
        val: Object.fromEntries(test?.leftOut ?? []),
      },
      unreadable,
      duplicates,
      small,
    },
    null,
    2,
  )}\n`;
}

/** One row for each file that something is said of: what, the file, and more of it. Files of one group have its number. */
export function reportCsv({ findings: { unreadable, duplicates, small } }: Checked): string {
  const rows = [
    ...unreadable.map(({ path, reason }) => ['unreadable', path, reason]),
    ...duplicates.flatMap(({ kinds, files }, group) =>
      files.map(({ path }) => ['duplicate', path, `${kinds.join(' ')}, group ${group + 1}`]),
    ),
    ...small.map(({ path, width, height }) => ['small', path, `${width} x ${height}`]),
  ];
  return [['finding', 'path', 'detail'], ...rows].map(csvRow).join('');
}

function counted(amount: number, singular: string, plural: string): string {
  return `${grouped(amount)} ${amount === 1 ? singular : plural}`;
}

/** With a comma between thousands. */
function grouped(amount: number): string {
  return amount.toLocaleString('en-US');
}
