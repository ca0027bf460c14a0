// The page of a sweep: one file without scripts, that fetches nothing.

import { plotFigure } from '../report/figure.js';
import { type Html, html } from '../report/html.js';
import { pageOf, section, table } from '../report/page.js';
import { percent, rate } from '../report/words.js';
import { count } from '../wording.js';
import { choiceOf, chosenNames } from './choice.js';
import { directionOf, type Metric } from './definition.js';
import { choicePlots, historyPlot, importancePlot } from './report-plots.js';
import type { StudyState, Trial } from './study.js';

export interface SweepReport {
  name: string;
  metric: Metric;
  method: string;
  state: StudyState;
  best: Trial | undefined;
  /** By parameter, shares that add up to 1; empty where trials are too few. */
  importance: Readonly<Record<string, number>>;
}

/** The page as a document. */
export async function sweepPage(report: SweepReport): Promise<string> {
  const { name, metric, state, importance } = report;
  const complete = state.trials.filter(({ state, value }) => state === 'COMPLETE' && value !== null);
  const draw = ({ spec, description }: ReturnType<typeof historyPlot>) => plotFigure(spec, description);
  const history = complete.length > 0 ? await draw(historyPlot(complete, metric)) : undefined;
  const hasShares = Object.keys(importance).length > 1;
  const shares = hasShares ? await draw(importancePlot(importance)) : undefined;
  const choices = await Promise.all(choicePlots(complete, metric).map(draw));
  const explanation = html`<p>Share of each parameter in what sets the best trials apart (PED-ANOVA).</p>`;
  const body = html`<h1>Sweep ${name}</h1>
${summary(report)}
${section('Test', [testOf(state)])}
${section('History', [history])}
${section('Importance', [shares && [explanation, shares]].flat())}
${section('Choices', choices)}
${section('Trials, the best first', [trialTable(report)])}`;
  return pageOf(`Sweep ${name}`, body);
}

function summary({ name, method, metric, state, best }: SweepReport): Html {
  const states = [
    ['COMPLETE', 'complete'],
    ['PRUNED', 'pruned'],
    ['FAIL', 'failed'],
    ['RUNNING', 'going on'],
  ] as const;
  const counts = states.flatMap(([kind, word]) => {
    const found = state.trials.filter((trial) => trial.state === kind).length;
    return found > 0 ? [`${found} ${word}`] : [];
  });
  const trials = count(state.trials.length, 'trial', 'trials');
  const said = best
    ? html`<p><strong>The best is trial ${best.number}</strong>, run ${name}-${best.number}: ${metric} ${rate(best.value ?? 0)} with ${choiceOf(best)}.</p>`
    : html`<p>No trial is complete.</p>`;
  return html`<p>By ${method}, to ${directionOf(metric)} ${metric}. ${trials}: ${counts.join(', ')}.</p>\n${said}`;
}

function testOf({ attributes: { tests = [] } }: StudyState): Html {
  const rule =
    tests.length > 1
      ? `The best trial changed as the sweep went on, so that ${tests.length} networks were tested, each once.`
      : 'Trials are chosen by validation images alone. The test images are used once, at the end, on the best trial.';
  const results = tests.map(
    ({ trial, loss, precisionAt1, precisionAt5, images }) =>
      html`<p>Trial ${trial}: loss ${rate(loss)}, precision@1 ${percent(precisionAt1, 2)}, precision@5 ${percent(precisionAt5, 2)} of ${count(images, 'image', 'images')}.</p>\n`,
  );
  return html`<p>${rule}</p>\n${results}`;
}

function trialTable({ state, metric }: SweepReport): Html {
  const names = chosenNames(state.trials);
  const sign = directionOf(metric) === 'minimize' ? 1 : -1;
  const worth = ({ value }: Trial) => (value === null ? Number.POSITIVE_INFINITY : sign * value);
  const sorted = [...state.trials].sort((a, b) => (worth(a) === worth(b) ? a.number - b.number : worth(a) - worth(b)));
  const shown = (value: unknown) => (typeof value === 'number' ? rate(value) : String(value ?? ''));
  return table({
    caption: 'All trials',
    heads: ['Trial', 'State', metric, 'Epoch', ...names],
    rows: sorted.map(({ number, state, value, attributes, params }) => [
      ...[String(number), state.toLowerCase(), shown(value), shown(attributes.epoch)],
      ...names.map((name) => shown(params[name])),
    ]),
  });
}
