// Plots and pictures within a page.

import { type PlotSpec, renderPlot } from '../reporting/plot.js';
import { Html, html } from './html.js';

let drawings = 0;

/** The plot as part of a page. `description` says in words what it shows. */
export async function plotFigure(spec: PlotSpec, description: string): Promise<Html> {
  const svg = await renderPlot({ ...spec, background: 'transparent' });
  return html`<figure class="plot" role="img" aria-label="${description}">${new Html(embeddable(svg))}</figure>\n`;
}

/**
 * A drawing beside others in one document: its ids are its own, and what it says of each mark to a screen reader is left
 * to the figure around it.
 */
function embeddable(svg: string): string {
  drawings += 1;
  const own = `d${drawings}-`;
  return svg
    .replace(/<svg /, '<svg aria-hidden="true" ')
    .replace(/\sid="([^"]+)"/g, ` id="${own}$1"`)
    .replace(/url\(#([^)]+)\)/g, `url(#${own}$1)`)
    .replace(/\s(?:role|aria-roledescription|aria-label)="[^"]*"/g, '');
}

/** Bytes of an image file as an address that needs no network. */
export function dataUrl(type: 'image/png' | 'image/jpeg' | 'image/webp', bytes: Buffer): string {
  return `data:${type};base64,${bytes.toString('base64')}`;
}
