// Where the time of a run went.

import type { EpochTiming } from '../reporting/epoch-timings.js';
import { plotColours } from '../reporting/plot.js';
import type { RunDescription } from '../reporting/run-description.js';
import { type Html, html } from './html.js';
import { folded, section, table } from './page.js';
import { duration, percent } from './words.js';

const kinds = [
  ['steps', 'Training steps', plotColours[0]],
  ['waiting', 'Waiting for images', plotColours[1]],
  ['validation', 'Validation', plotColours[2]],
] as const satisfies readonly (readonly [keyof EpochTiming, string, string])[];

/** Nothing where the description does not tell. */
export function timeSection({ timings = [] }: Pick<RunDescription, 'timings'>): Html | undefined {
  const total = (kind: (typeof kinds)[number][0]) => timings.reduce((sum, timing) => sum + timing[kind], 0);
  const all = kinds.reduce((sum, [kind]) => sum + total(kind), 0);
  if (all === 0) return undefined;
  const share = (seconds: number) => (100 * seconds) / all;
  const rows = kinds.map(([kind, name]) => [name, duration(total(kind)), percent(share(total(kind)))]);
  const bar = kinds.map(
    ([kind, , colour]) => html`<i style="width:${share(total(kind)).toFixed(2)}%;background:${colour}"></i>`,
  );
  const epochs = timings.map((timing) => [String(timing.epoch), ...kinds.map(([kind]) => duration(timing[kind]))]);
  const heads = kinds.map(([, name]) => name);
  return section('Time', [
    html`<div class="bar" aria-hidden="true">${bar}</div>\n`,
    table({ caption: 'All epochs together', heads: ['', 'Time', 'Share'], rows }),
    html`<p class="quiet">Images are decoded while steps run: waiting is what steps had to wait for them.</p>\n`,
    folded('Each epoch', table({ caption: 'Each epoch', heads: ['Epoch', ...heads], rows: epochs })),
  ]);
}
