// The plots of a sweep: how its trials went, which parameters matter, and the metric by each of them.

import type { PlotSpec } from '../reporting/plot.js';
import { chosenNames } from './choice.js';
import { directionOf, type Metric } from './definition.js';
import type { Trial } from './study.js';

/** A plot, and what it shows in words. */
export interface DescribedPlot {
  spec: PlotSpec;
  description: string;
}

const width = 560;
const point = { type: 'point', filled: true, size: 50 } as const;

const metricAxis = (field: string, metric: Metric) =>
  ({ field, type: 'quantitative', title: metric, scale: { zero: false } }) as const;

/** The trials in their order, and the best so far. `complete` are those that have a value. */
export function historyPlot(complete: readonly Trial[], metric: Metric): DescribedPlot {
  const better = directionOf(metric) === 'minimize' ? Math.min : Math.max;
  let best: number | undefined;
  const values = complete.map(({ number, value }) => {
    best = best === undefined ? Number(value) : better(best, Number(value));
    return { trial: number, value, best };
  });
  const x = { field: 'trial', type: 'quantitative', axis: { tickMinStep: 1, format: 'd' } } as const;
  const spec: PlotSpec = {
    ...{ width, height: 240, data: { values } },
    layer: [
      { mark: { type: 'line', interpolate: 'step-after' }, encoding: { x, y: metricAxis('best', metric) } },
      { mark: point, encoding: { x, y: metricAxis('value', metric) } },
    ],
  };
  return { spec, description: `${metric} of each trial, and the best so far` };
}

/** The share of each parameter in what sets the best trials apart. */
export function importancePlot(importance: Readonly<Record<string, number>>): DescribedPlot {
  const values = Object.entries(importance).map(([parameter, share]) => ({ parameter, share }));
  const spec: PlotSpec = {
    ...{ width, data: { values }, mark: 'bar' },
    encoding: {
      y: { field: 'parameter', type: 'nominal', sort: '-x', title: null },
      x: { field: 'share', type: 'quantitative', axis: { format: '%' }, title: null },
    },
  };
  return { spec, description: 'Importance of each parameter' };
}

/** The metric by each parameter that was chosen. */
export function choicePlots(complete: readonly Trial[], metric: Metric): DescribedPlot[] {
  return chosenNames(complete).map((name) => {
    const values = complete.map(({ params, value }) => ({ chosen: params[name], value }));
    const numbers = values.map(({ chosen }) => chosen).filter((chosen) => typeof chosen === 'number');
    const isNumeric = numbers.length === values.length;
    // What spans more than two powers of ten was most likely chosen by them.
    const isWide = isNumeric && Math.min(...numbers) > 0 && Math.max(...numbers) > 100 * Math.min(...numbers);
    const scale = isWide ? ({ type: 'log' } as const) : ({ zero: false } as const);
    const x = isNumeric ? ({ type: 'quantitative', scale } as const) : ({ type: 'nominal' } as const);
    const spec: PlotSpec = {
      ...{ width, height: 180, data: { values }, mark: point },
      encoding: { x: { field: 'chosen', title: name, ...x }, y: metricAxis('value', metric) },
    };
    return { spec, description: `${metric} by ${name}` };
  });
}
