// The test at the end of a run: figures, confusions, classes, and the images that went worst.

import { calibrationPlot } from '../inference/evaluation/plots.js';
import type { Share } from '../inference/evaluation/wilson.js';
import type { RunDescription } from '../reporting/run-description.js';
import { confusionMatrix } from './confusion.js';
import { plotFigure } from './figure.js';
import { type Html, html } from './html.js';
import { facts, folded, section, table } from './page.js';
import { confusionOf, type TestDetail, type TestedImage } from './test-detail.js';
import { thumbnails } from './thumbnails.js';
import { number, percent } from './words.js';

/** More classes than these are folded, but for the worst. */
const shownClasses = 20;

/** Nothing where the run was not tested. */
export async function testSection(
  { test, options }: Pick<RunDescription, 'test' | 'options'>,
  detail: TestDetail | undefined,
): Promise<Html | undefined> {
  if (!detail) {
    return test && section('Test', [html`<p class="quiet">Nothing is known of single classes and images.</p>\n`]);
  }
  const classes = detail.classes.map(({ name }) => name);
  const pictures = await thumbnails(
    detail.worst.map(({ path }) => path),
    { exif: options['exif'] === true },
  );
  const folder = `${options['data_dir']}/`;
  return section('Test', [
    means(detail),
    html`<h3>Which class is taken for which</h3>\n`,
    await confusionMatrix(confusionOf(detail), classes),
    mistakes(detail),
    html`<h3>Classes</h3>\n`,
    ...classTables(detail),
    html`<h3>Images of the highest loss</h3>\n`,
    html`<ul class="images">${detail.worst.map((image, index) => imageItem(image, pictures[index], folder))}</ul>\n`,
    html`<h3>Are probabilities kept?</h3>\n`,
    await plotFigure(calibrationPlot(detail.calibration, 'Calibration'), inWords(detail)),
  ]);
}

function means({ precisionAt1, precisionAt5, macro, weighted, loss, images }: TestDetail): Html {
  const share = ({ percent: value, low, high }: Share) =>
    `${percent(value, 2)} (95 %: ${number(low, 2)} to ${number(high, 2)})`;
  const scores = ({ precision, recall, f1 }: TestDetail['macro']) =>
    `precision ${percent(precision)}, recall ${percent(recall)}, F1 ${percent(f1)}`;
  return facts([
    ['Images', String(images)],
    ['Loss', number(loss)],
    ['Precision@1', share(precisionAt1)],
    ['Precision@5', share(precisionAt5)],
    ['Mean of classes', scores(macro)],
    ['Mean of images', scores(weighted)],
  ]);
}

function mistakes({ mistakes: all }: TestDetail): Html | undefined {
  if (all.length === 0) return undefined;
  const rows = all.map(({ actual, predicted, images }) => [
    html`<bdi>${actual}</bdi> → <bdi>${predicted}</bdi>`,
    String(images),
  ]);
  return table({ caption: 'The commonest confusions', heads: ['Class → taken for', 'Images'], rows });
}

function classTables({ classes }: TestDetail): Html[] {
  const classTable = (caption: string, shown: TestDetail['classes']) =>
    table({
      ...{ caption, heads: ['Class', 'Images', 'Precision', 'Recall', 'F1'] },
      rows: shown.map(({ name, support, precision, recall, f1 }) => [
        ...[name, String(support), percent(precision), percent(recall), percent(f1)],
      ]),
    });
  if (classes.length <= shownClasses) return [classTable('All classes', classes)];
  const worst = [...classes].sort((a, b) => (a.f1 ?? 101) - (b.f1 ?? 101)).slice(0, shownClasses);
  const all = classTable(`All ${classes.length} classes in their order`, classes);
  return [classTable(`The ${shownClasses} of the lowest F1`, worst), folded(`All ${classes.length} classes`, all)];
}

function imageItem(image: TestedImage, picture: string | undefined, folder: string): Html {
  const { path, class: own, takenFor, probability, takenForProbability, loss } = image;
  const shown = path.startsWith(folder) ? path.slice(folder.length) : path;
  const thumbnail = picture
    ? html`<img width="112" height="112" alt="${`${own}, taken for ${takenFor}: ${shown}`}" src="${picture}">`
    : html`<div class="missing">The image can't be read any more</div>`;
  const share = (value: number) => percent(100 * value);
  const verdict =
    own === takenFor
      ? html`<div><b>${own}</b> (${share(probability)}), right</div>`
      : html`<div><b>${own}</b> (${share(probability)}), taken for <b>${takenFor}</b> (${share(takenForProbability)})</div>`;
  return html`<li>${thumbnail}${verdict}<div class="quiet">loss ${number(loss, 2)} · ${shown}</div></li>\n`;
}

function inWords({ calibration }: TestDetail): string {
  const bins = calibration.bins
    .filter(({ images }) => images > 0)
    .map(({ to, accuracy }) => `up to ${number(to, 0)} %: ${percent(accuracy, 0)} right`);
  return `Of predictions by their probability, how many are right. Expected calibration error ${percent(calibration.ece)}. ${bins.join('; ')}`;
}
