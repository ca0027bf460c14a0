// What all pages of results share: one file that fetches nothing, runs nothing, and follows the reader's light or dark.

import { type Html, html } from './html.js';
import { style } from './style.js';

/** A whole document. Its policy lets it load and run nothing, whatever a class or a run is called. */
export function pageOf(title: string, body: Html): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  return `<!doctype html>\n${
    html`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`.markup
  }`;
}

/** A part of the page under a heading; nothing where there is nothing in it. */
export function section(heading: string, content: readonly (Html | undefined)[]): Html | undefined {
  if (content.every((part) => part === undefined)) return undefined;
  return html`<section>
<h2>${heading}</h2>
${content}
</section>
`;
}

/** What is shown when its summary is clicked. */
export function folded(summary: string, content: Html): Html {
  return html`<details>
<summary>${summary}</summary>
${content}
</details>
`;
}

export type Cell = string | number | Html;

export interface TableSettings {
  /** Says what the table holds. */
  caption: string;
  /** One for each column. */
  heads: readonly string[];
  rows: readonly (readonly Cell[])[];
  /** Whether the columns after the first are numbers, which stand on the right; they are unless told. */
  isNumeric?: boolean;
}

/** A table whose first column names its rows. */
export function table({ caption, heads, rows, isNumeric = true }: TableSettings): Html {
  const row = ([name = '', ...cells]: readonly Cell[]) =>
    html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>\n`;
  return html`<div class="wide" tabindex="0" role="region" aria-label="${caption}"><table class="${isNumeric ? 'numbers' : 'words'}">
<caption>${caption}</caption>
<thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>
${rows.map(row)}</tbody>
</table></div>
`;
}

/** Names and what they stand for, one a line. */
export function facts(rows: readonly (readonly [name: string, value: Cell])[]): Html {
  return html`<dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>\n`;
}

/** The few figures that matter most, large. */
export function figures(entries: readonly { name: string; value: string; note?: string | undefined }[]): Html {
  return html`<dl class="figures">${entries.map(
    ({ name, value, note }) =>
      html`<div><dt>${name}</dt><dd>${value}${note === undefined ? undefined : html`<small>${note}</small>`}</dd></div>\n`,
  )}</dl>\n`;
}
