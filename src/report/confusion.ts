// The confusion matrix within a page: a table as long as its cells can be read, and a picture beyond.

import sharp from 'sharp';
import type { ConfusionMatrix } from '../inference/evaluation/confusion.js';
import { dataUrl } from './figure.js';
import { type Html, html } from './html.js';

/** Up to so many classes it is a table. */
const mostInTable = 80;
/** Beyond so many its cells are small. */
const mostLarge = 20;

/** Rows are the images' own classes, columns what they are taken for; the darker, the more of a row's images. */
export async function confusionMatrix(confusion: ConfusionMatrix, classes: readonly string[]): Promise<Html> {
  return classes.length <= mostInTable ? asTable(confusion, classes) : asPicture(confusion);
}

function asTable(confusion: ConfusionMatrix, classes: readonly string[]): Html {
  const size = classes.length > mostLarge ? 'confusion many' : 'confusion';
  const row = (name: string, actual: number) =>
    html`<tr><th scope="row" title="${name}">${name}</th>${cellsOf(confusion.row(actual))}</tr>\n`;
  return html`<div class="wide" tabindex="0" role="region" aria-label="Confusion matrix"><table class="${size}">
<caption>Rows are the images' own classes, columns what they are taken for; numbers are images</caption>
<thead><tr><td></td>${classes.map((name) => html`<th scope="col" title="${name}"><span>${name}</span></th>`)}</tr></thead>
<tbody>
${classes.map(row)}</tbody>
</table></div>
`;
}

function cellsOf(row: Uint32Array): Html[] {
  const total = sum(row);
  return Array.from(row, (images) => {
    if (images === 0) return html`<td></td>`;
    const share = images / total;
    // Few of many are still to be seen.
    const shade = Math.max(0.08, share).toFixed(2);
    return html`<td style="--share:${shade}"${share > 0.55 ? html` class="most"` : undefined}>${images}</td>`;
  });
}

/** A pixel for each cell. */
async function asPicture(confusion: ConfusionMatrix): Promise<Html> {
  const { size } = confusion;
  const pixels = Buffer.alloc(size * size * 3);
  for (let actual = 0; actual < size; actual++) {
    const row = confusion.row(actual);
    const total = Math.max(1, sum(row));
    for (const [predicted, images] of row.entries())
      pixels.set(shadeOf(images / total), (actual * size + predicted) * 3);
  }
  const png = await sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer();
  const alt = `Confusion matrix of ${size} classes in their order, from the top left: rows are the images' own classes, columns what they are taken for`;
  return html`<figure class="plot"><img class="pixels" width="${size}" height="${size}" alt="${alt}" src="${dataUrl('image/png', png)}">
<figcaption>${size} classes in their order, from the top left. Rows are the images' own classes, columns what they are taken for; what lies on the diagonal is right.</figcaption></figure>
`;
}

/** Red, green, blue: from white, by a step where there is anything, to blue. */
function shadeOf(share: number): [number, number, number] {
  const depth = share === 0 ? 0 : 0.25 + 0.75 * share;
  const mixed = (end: number) => Math.round(255 + (end - 255) * depth);
  return [mixed(0), mixed(84), mixed(150)];
}

const sum = (values: Uint32Array) => values.reduce((total, value) => total + value, 0);
