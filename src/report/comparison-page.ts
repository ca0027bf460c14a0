// The page of several runs: their curves over each other, their results and what they were told.

import { type Comparison, type NamedRun, optionRows, resultRows } from './comparison.js';
import { comparedCurves } from './curves.js';
import { plotFigure } from './figure.js';
import { type Html, html } from './html.js';
import { pageOf, section, table } from './page.js';

/** The whole document. */
export async function comparisonPage(runs: readonly NamedRun[], comparison: Comparison): Promise<string> {
  const plots: Html[] = [];
  for (const { spec, description } of comparedCurves(runs)) plots.push(await plotFigure(spec, description));
  const results = {
    caption: 'Of the epoch with the lowest validation loss; P@1 is precision@1',
    ...resultRows(comparison),
  };
  const options = { caption: 'Options that not all runs have alike', ...optionRows(comparison), isNumeric: false };
  const names = runs.map(({ name }) => name).join(', ');
  const body = html`<header>
<h1>${runs.length} runs compared</h1>
<p class="quiet">${names}</p>
${comparison.warnings.map((warning) => html`<p class="warning">${warning}.</p>\n`)}
</header>
${section('Results', [table(results)])}
${plots.length > 0 ? section('Epochs', [html`<div class="plots">${plots}</div>\n`]) : undefined}
${comparison.options.length > 0 ? section('Options', [table(options)]) : undefined}`;
  return pageOf(`${names}: runs compared`, body);
}
