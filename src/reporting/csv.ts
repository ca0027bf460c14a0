// Comma-separated values as in RFC 4180, but for line feeds alone at the end of rows.

/** One row with its line feed. Cells are quoted where they must be. */
export function csvRow(cells: readonly string[]): string {
  return `${cells.map(quoted).join(',')}\n`;
}

/** The complete rows at the start of a text, and where they end: behind them is what was cut off, if anything. */
export function readCsvRows(text: string): { rows: string[][]; end: number } {
  const rows: string[][] = [];
  let row: string[] = [];
  let end = 0;
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n)/y;
  for (let match = cell.exec(text); match !== null; match = cell.exec(text)) {
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === ',') continue;
    rows.push(row);
    row = [];
    end = cell.lastIndex;
  }
  return { rows, end };
}

function quoted(cell: string): string {
  return /[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
