// An evaluation in pictures: the confusion matrix, and whether probabilities are kept.

import { type PlotSpec, plotColours } from '../../reporting/plot.js';
import type { CalibrationResult } from './calibration.js';
import type { ConfusionMatrix } from './confusion.js';

/** Up to so many classes cells hold numbers, and up to so many rows and columns have their names. */
const mostNumbers = 20;
const mostNames = 80;
/** A matrix of many classes is this large, however small its cells become. */
const largeSide = 1000;
const shownMistakes = 40;

const shownName = (name: string) => (name.length > 40 ? `${name.slice(0, 39)}…` : name);

/**
 * Rows are the images' own classes, columns what they are taken for; the darker, the more of a row's images. Where there
 * are too many classes for their names, the commonest mistakes stand beside it by name.
 */
export function confusionPlot(confusion: ConfusionMatrix, classes: readonly string[], title: string): PlotSpec {
  const cells = cellsOf(confusion);
  const isNamed = classes.length <= mostNames;
  const step = cellSide(classes.length);
  const side = step * classes.length;
  const shape = { width: side, height: side };
  const domain = classes.map((_, index) => index);
  const names = JSON.stringify(classes.map(shownName));
  const labels = isNamed ? { labelExpr: `${names}[datum.value]` } : { labels: false, ticks: false };
  const axis = (name: 'actual' | 'predicted', text: string) => ({
    ...{ field: name, type: 'ordinal' as const, title: text, scale: { domain, paddingInner: step > 8 ? 0.04 : 0 } },
    axis: {
      ...labels,
      domain: false,
      grid: false,
      labelOverlap: false,
      ...(name === 'predicted' && { labelAngle: -45 }),
    },
  });
  const encoding = { y: axis('actual', 'Class'), x: axis('predicted', 'Taken for') };
  const share = { field: 'share', type: 'quantitative' as const, scale: { domain: [0, 100] }, title: '% of the class' };
  const matrix = {
    ...shape,
    data: { values: cells },
    view: { fill: '#f5f7fa' },
    encoding,
    layer: [
      { mark: 'rect' as const, encoding: { color: share } },
      ...(classes.length <= mostNumbers
        ? [
            {
              mark: { type: 'text' as const, fontSize: 11 },
              encoding: {
                text: { field: 'images', type: 'quantitative' as const },
                color: { condition: { test: 'datum.share > 50', value: 'white' }, value: '#1f2933' },
              },
            },
          ]
        : []),
    ],
  };
  const heading = { title: { text: title, subtitle: subtitleOf(classes.length) } };
  if (isNamed) return { ...heading, ...matrix } as PlotSpec;
  return { ...heading, hconcat: [matrix, mistakesPlot(confusion, classes)], spacing: 40 } as PlotSpec;
}

const subtitleOf = (classes: number) =>
  classes <= mostNumbers
    ? 'Numbers are images'
    : `${classes} classes in their order, from the top left: what lies on the diagonal is right`;

/** Pixels. */
function cellSide(classes: number): number {
  if (classes <= mostNumbers) return 40;
  return classes <= mostNames ? 16 : Math.max(1, largeSide / classes);
}

/** Those that are not empty. */
function cellsOf(confusion: ConfusionMatrix) {
  return Array.from({ length: confusion.size }, (_, actual) => {
    const row = confusion.row(actual);
    const total = row.reduce((sum, images) => sum + images, 0);
    return Array.from(row, (images, predicted) => ({ actual, predicted, images, share: (100 * images) / total }));
  })
    .flat()
    .filter(({ images }) => images > 0);
}

function mistakesPlot(confusion: ConfusionMatrix, classes: readonly string[]) {
  const nameOf = (index: number) => shownName(classes[index] ?? '');
  const values = confusion.mistakes(shownMistakes).map(({ actual, predicted, images }) => ({
    mistake: `${nameOf(actual)} → ${nameOf(predicted)}`,
    images,
  }));
  return {
    title: 'The commonest mistakes',
    data: { values },
    height: { step: 22 },
    width: 220,
    encoding: {
      y: { field: 'mistake', type: 'nominal' as const, sort: null, title: null },
      x: { field: 'images', type: 'quantitative' as const, title: 'Images', axis: { tickMinStep: 1, format: 'd' } },
    },
    layer: [
      { mark: { type: 'bar' as const, color: plotColours[0] } },
      {
        mark: { type: 'text' as const, align: 'left' as const, dx: 4 },
        encoding: { text: { field: 'images', type: 'quantitative' as const } },
      },
    ],
  };
}

/** A reliability diagram: bars on the diagonal are what they say. */
export function calibrationPlot({ ece, bins }: CalibrationResult, title: string): PlotSpec {
  const values = bins.filter(({ images }) => images > 0);
  const percent = { domain: [0, 100] };
  const x = {
    field: 'from',
    type: 'quantitative' as const,
    scale: percent,
    title: 'Probability of the predicted class, %',
  };
  const accuracy = {
    data: { values },
    width: 340,
    height: 340,
    layer: [
      {
        mark: { type: 'bar' as const, binSpacing: 1, color: plotColours[0] },
        encoding: {
          x: { ...x, bin: { binned: true } },
          x2: { field: 'to' },
          y: { field: 'accuracy', type: 'quantitative' as const, scale: percent, title: 'Of those right, %' },
        },
      },
      {
        data: { values: [{ at: 0 }, { at: 100 }] },
        mark: { type: 'line' as const, strokeDash: [4, 4], color: plotColours[6] },
        encoding: {
          x: { field: 'at', type: 'quantitative' as const },
          y: { field: 'at', type: 'quantitative' as const },
        },
      },
    ],
  };
  const images = {
    data: { values },
    width: 340,
    height: 90,
    mark: { type: 'bar' as const, binSpacing: 1, color: plotColours[6] },
    encoding: {
      x: { ...x, bin: { binned: true } },
      x2: { field: 'to' },
      y: { field: 'images', type: 'quantitative' as const, title: 'Images', axis: { tickMinStep: 1, tickCount: 3 } },
    },
  };
  const subtitle = `Expected calibration error ${ece.toFixed(1)} % (${bins.length} bins)`;
  return { title: { text: title, subtitle }, vconcat: [accuracy, images] } as PlotSpec;
}
