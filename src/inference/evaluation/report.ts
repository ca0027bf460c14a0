// An evaluation for people: the figures that matter on one screen.

import { allButFirst, textTable } from '../../reporting/text-table.js';
import type { EvaluationResult } from './evaluation.js';
import type { Share } from './wilson.js';

const shownClasses = 20;
const shownMistakes = 5;

/** Lines with line feeds. Of many classes, those with the lowest F1. */
export function formatEvaluation(result: EvaluationResult): string {
  const { images, loss, precisionAt1, precisionAt5, macro, weighted, calibration } = result;
  const means = ({ precision, recall, f1 }: typeof macro) =>
    `precision ${percent(precision)}, recall ${percent(recall)}, F1 ${percent(f1)}`;
  const figures = [
    ['Images', String(images)],
    ['Loss', loss.toFixed(4)],
    ['Precision@1', withInterval(precisionAt1)],
    ['Precision@5', withInterval(precisionAt5)],
    ['Macro mean', means(macro)],
    ['Weighted mean', means(weighted)],
    ['Calibration', `expected error ${percent(calibration.ece)}`],
  ];
  return [textTable(figures), classTable(result), ...mistakeLines(result)].join('\n');
}

function classTable({ classes }: EvaluationResult): string {
  const isShort = classes.length <= shownClasses;
  const shown = isShort ? classes : [...classes].sort((a, b) => (a.f1 ?? 101) - (b.f1 ?? 101)).slice(0, shownClasses);
  const cell = (value: number | null) => (value === null ? '-' : percent(value));
  const rows = shown.map(({ name, precision, recall, f1, support }) => [
    ...[name, String(support), cell(precision), cell(recall), cell(f1)],
  ]);
  const heading = [isShort ? 'Class' : `The ${shownClasses} worst of ${classes.length} classes`];
  return textTable([[...heading, 'Images', 'Precision', 'Recall', 'F1'], ...rows], allButFirst);
}

function mistakeLines({ mistakes }: EvaluationResult): string[] {
  if (mistakes.length === 0) return [];
  const rows = mistakes
    .slice(0, shownMistakes)
    .map(({ actual, predicted, images }) => [`${actual} taken for ${predicted}`, String(images)]);
  return [textTable([['Commonest mistakes', 'Images'], ...rows], allButFirst)];
}

const percent = (value: number) => `${value.toFixed(1)} %`;

const withInterval = ({ percent: value, low, high }: Share) =>
  `${value.toFixed(2)} % (95 %: ${low.toFixed(2)} to ${high.toFixed(2)})`;
