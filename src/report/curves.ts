// Curves over epochs: of one run its training and validation, of several runs one colour each.

import { type PlotSpec, plotColours } from '../reporting/plot.js';
import type { RunDescription } from '../reporting/run-description.js';

export interface Curve {
  /** For the name of its file. */
  name: string;
  title: string;
  /** What it shows in words, for those who don't see it. */
  description: string;
  spec: PlotSpec;
}

export type CurvedRun = Pick<RunDescription, 'epochs'> & { name: string };

type Epoch = RunDescription['epochs'][number];

interface Series {
  name: string;
  points: readonly { epoch: number; value: number }[];
}

/** Up to so many epochs each has a dot. */
const mostDots = 40;

/** Loss, precision and learning rate over the epochs of one run; none where no epoch is over. */
export function runCurves({ epochs }: Pick<CurvedRun, 'epochs'>): Curve[] {
  const splits = (measure: (metrics: Epoch['train']) => number) => [
    seriesOf('training', epochs, ({ train }) => measure(train)),
    seriesOf('validation', epochs, ({ validation }) => validation && measure(validation)),
  ];
  const rate = seriesOf('learning rate', epochs, ({ learningRate }) => learningRate);
  return drawn([
    ['loss', 'Loss', splits(({ loss }) => loss)],
    ['precision', 'Precision@1, %', splits(({ precisionAt1 }) => precisionAt1)],
    ['precision5', 'Precision@5, %', splits(({ precisionAt5 }) => precisionAt5)],
    ['lr', 'Learning rate', [rate]],
  ]);
}

/** The same of several runs. */
export function comparedCurves(runs: readonly CurvedRun[]): Curve[] {
  const all = (measure: (epoch: Epoch) => number | undefined) =>
    runs.map(({ name, epochs }) => seriesOf(name, epochs, measure));
  return drawn([
    ['val-loss', 'Validation loss', all(({ validation }) => validation?.loss)],
    ['val-precision', 'Validation precision@1, %', all(({ validation }) => validation?.precisionAt1)],
    ['train-loss', 'Training loss', all(({ train }) => train.loss)],
    ['train-precision', 'Training precision@1, %', all(({ train }) => train.precisionAt1)],
    ['lr', 'Learning rate', all(({ learningRate }) => learningRate)],
  ]);
}

/** A value that is no finite number, which JSON writes as null, leaves a gap. */
function seriesOf(
  name: string,
  epochs: readonly Epoch[],
  measure: (epoch: Epoch) => number | null | undefined,
): Series {
  const points = epochs.flatMap((epoch) => {
    const value = measure(epoch);
    return typeof value === 'number' && Number.isFinite(value) ? [{ epoch: epoch.epoch, value }] : [];
  });
  return { name, points };
}

function drawn(plans: readonly (readonly [name: string, title: string, series: readonly Series[]])[]): Curve[] {
  return plans.flatMap(([name, title, all]) => {
    const series = all.filter(({ points }) => points.length > 0);
    if (series.length === 0) return [];
    return [{ name, title, description: inWords(title, series), spec: curvePlot(title, series) }];
  });
}

function curvePlot(title: string, series: readonly Series[]): PlotSpec {
  const values = series.flatMap(({ name, points }) => points.map((point) => ({ ...point, series: name })));
  const names = series.map(({ name }) => name);
  const most = Math.max(...values.map(({ epoch }) => epoch));
  return {
    ...{ background: 'transparent', padding: 4, width: 330, height: 240, title, data: { values } },
    autosize: { type: 'fit', contains: 'padding' },
    mark: { type: 'line', point: most <= mostDots ? { size: 24 } : false, strokeWidth: 1.8 },
    encoding: {
      x: {
        ...{ field: 'epoch', type: 'quantitative', title: 'Epoch' },
        scale: { domain: [1, Math.max(2, most)], nice: false },
        axis: { tickMinStep: 1, format: 'd', grid: false, tickCount: 6 },
      },
      y: {
        field: 'value',
        type: 'quantitative',
        title: null,
        scale: { domain: domainOf(values, title.endsWith('%') ? 100 : Number.POSITIVE_INFINITY), nice: 5 },
        axis: { tickCount: 5 },
      },
      color: {
        ...{ field: 'series', type: 'nominal', sort: null },
        scale: { domain: names, range: names.map((_, index) => plotColours[index % plotColours.length]) },
        legend: names.length > 1 ? { title: null, orient: 'bottom', columns: 2, labelLimit: 130 } : null,
      },
    },
  } as PlotSpec;
}

/** From the lowest to the highest; where they are one, a little around it, up to what there can be. */
function domainOf(values: readonly { value: number }[], most: number): [number, number] {
  const all = values.map(({ value }) => value);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = low === high ? Math.abs(low) / 10 || 1 : 0;
  return [low - room, Math.max(high, Math.min(most, high + room))];
}

function inWords(title: string, series: readonly Series[]): string {
  const shown = (value: number | undefined) => (value === undefined ? 'nothing' : String(Number(value.toPrecision(4))));
  const lines = series.map(({ name, points }) => {
    const [first, last] = [points[0], points.at(-1)];
    return `${name} from ${shown(first?.value)} in epoch ${first?.epoch} to ${shown(last?.value)} in epoch ${last?.epoch}`;
  });
  return `${title}: ${lines.join('; ')}`;
}
