// The page of one run: what it was told, how it went, and what came of it.

import { valueText } from '../options/option-text.js';
import type { RunDescription } from '../reporting/run-description.js';
import type { LeftOut } from '../training/bad-images.js';
import { bestEpoch } from '../training/best.js';
import { runCurves } from './curves.js';
import { plotFigure } from './figure.js';
import { type Html, html } from './html.js';
import { facts, figures, folded, pageOf, section, table } from './page.js';
import { type OptionValue, splitOptions } from './run-options.js';
import { runTotals } from './run-totals.js';
import type { TestDetail } from './test-detail.js';
import { testSection } from './test-section.js';
import { timeSection } from './time-section.js';
import { duration, number, percent, rate } from './words.js';

export interface RunPageContent {
  run: RunDescription;
  /** Undefined where the run has not come to its test, or nothing is known of it but its means. */
  test: TestDetail | undefined;
  /** Images that the run could not read. */
  leftOut: readonly LeftOut[];
}

/** The whole document. */
export async function runPage({ run, test, leftOut }: RunPageContent): Promise<string> {
  const name = nameOf(run);
  const body = html`${heading(run)}
${section('Options', optionTables(run))}
${await curveSection(run)}
${await testSection(run, test)}
${section('Data', dataParts(run, leftOut))}
${timeSection(run)}
${section('Environment', [environment(run)])}`;
  return pageOf(`${name}: results of a run`, body);
}

export const nameOf = ({ options }: Pick<RunDescription, 'options'>) => String(options['run_name'] ?? 'A run');

function heading(run: RunDescription): Html {
  const { state, reason, epochs, test, options } = run;
  const best = bestEpoch(epochs);
  const { seconds, imagesPerSecond } = runTotals(epochs);
  const ofBest = best && `epoch ${best.epoch}`;
  const told = (name: string) => valueText(name, options[name]);
  const trained = `${told('model')}, ${epochs.length} of ${told('epochs')} epochs`;
  const shown = [
    ...(best?.validation
      ? [
          { name: 'Lowest validation loss', value: number(best.validation.loss), note: ofBest },
          { name: 'Validation precision@1', value: percent(best.validation.precisionAt1, 2), note: ofBest },
        ]
      : []),
    ...(test
      ? [
          { name: 'Test loss', value: number(test.loss), note: 'last epoch' },
          { name: 'Test precision@1', value: percent(test.precisionAt1, 2), note: `${test.images} images` },
          { name: 'Test precision@5', value: percent(test.precisionAt5, 2) },
        ]
      : []),
    ...(epochs.length > 0
      ? [
          {
            name: 'Time of all epochs',
            value: duration(seconds),
            note: `training ${number(imagesPerSecond, 1)} images/s`,
          },
        ]
      : []),
  ];
  return html`<header>
<h1>${nameOf(run)}</h1>
<p class="quiet">${trained} · ${stateText(run)}</p>
${state !== 'finished' && reason ? html`<p class="warning">${stateNames[state]}: ${reason}</p>` : undefined}
${figures(shown)}
</header>
`;
}

const stateNames = { running: 'Running', finished: 'Finished', stopped: 'Stopped', failed: 'Failed' } as const;

function stateText({ state, started, resumed, written }: RunDescription): string {
  const time = (iso: string) => `${iso.slice(0, 16).replace('T', ' ')} UTC`;
  const again = resumed.length === 0 ? '' : `, resumed ${resumed.length === 1 ? 'once' : `${resumed.length} times`}`;
  return `${stateNames[state]} · begun ${time(started)}${again} · last written ${time(written)}`;
}

function optionTables({ options }: RunDescription): Html[] {
  const { changed, unchanged } = splitOptions(options);
  const optionTable = (caption: string, values: readonly OptionValue[]) =>
    table({
      ...{ caption, heads: ['Option', 'Value'], isNumeric: false },
      rows: values.map(({ name, value }) => [`--${name}`, valueText(name, value)]),
    });
  return [
    html`<details open>
<summary>${changed.length} that differ from the defaults</summary>
${optionTable('Options that differ from the defaults', changed)}
</details>
`,
    folded(`${unchanged.length} as they are by default`, optionTable('Options as they are by default', unchanged)),
  ];
}

async function curveSection({ epochs }: RunDescription): Promise<Html | undefined> {
  if (epochs.length === 0) return undefined;
  const plots: Html[] = [];
  for (const { spec, description } of runCurves({ epochs })) plots.push(await plotFigure(spec, description));
  const rows = epochs.map(({ epoch, train, validation, learningRate, seconds, imagesPerSecond }) => [
    ...[String(epoch), number(train.loss), number(validation?.loss)],
    ...[percent(train.precisionAt1, 2), percent(validation?.precisionAt1, 2), percent(validation?.precisionAt5, 2)],
    ...[rate(learningRate), duration(seconds), number(imagesPerSecond, 1)],
  ]);
  const heads = [
    ...['Epoch', 'Training loss', 'Validation loss', 'Training P@1', 'Validation P@1', 'Validation P@5'],
    ...['Learning rate', 'Time', 'Images/s'],
  ];
  return section('Epochs', [
    html`<div class="plots">${plots}</div>\n`,
    folded('All epochs as a table', table({ caption: 'All epochs; P@1 is precision@1', heads, rows })),
  ]);
}

function dataParts({ data, options }: RunDescription, leftOut: readonly LeftOut[]): Html[] {
  const folder = String(options['data_dir'] ?? '');
  const rows = leftOut.map(({ path, reason }) => [path, reason]);
  return [
    facts([
      ['Folder', folder],
      ['Training images', String(data.train)],
      ['Validation images', String(data.validation)],
      ['Test images', String(data.test)],
      ['Classes', String(data.classes.length)],
      ['Fingerprint', data.sha256],
      ['Images left out', String(leftOut.length)],
    ]),
    folded(
      'The classes in their order',
      html`<ol start="0">${data.classes.map((name) => html`<li>${name}</li>`)}</ol>\n`,
    ),
    ...(leftOut.length > 0
      ? [
          folded(
            'Images left out, and why',
            table({ caption: 'Images that could not be read', heads: ['Image', 'Why'], rows, isNumeric: false }),
          ),
        ]
      : []),
  ];
}

function environment({ program, device, weights }: RunDescription): Html {
  const commit = program.commit && `${program.commit}${program.isChanged ? ', with changes' : ''}`;
  const rows: [string, string | undefined][] = [
    ['deep-cnn', program.version],
    ['Commit', commit],
    ['TensorFlow', program.tensorflow],
    ['Node.js', program.node],
    ['Platform', program.platform],
    ['Device', device.kind],
    ['Precision', device.precision],
    ['Threads', device.threads === undefined ? undefined : String(device.threads)],
    ['Initial weights', weights === null ? 'random' : weights],
  ];
  return facts(rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
