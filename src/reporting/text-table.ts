/**
 * Columns of text, two spaces apart, with a line feed after each row: those of numbers to the right, the others to the
 * left. Rows are as long as the first.
 */
export function textTable(
  rows: readonly (readonly string[])[],
  isOfNumbers: (column: number) => boolean = () => false,
): string {
  const length = (cell: string | undefined) => [...(cell ?? '')].length;
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => length(row[column])))) ?? [];
  const padded = (cell: string, column: number) => {
    const space = ' '.repeat(Math.max(0, (widths[column] ?? 0) - length(cell)));
    return isOfNumbers(column) ? space + cell : cell + space;
  };
  return rows.map((row) => `${row.map(padded).join('  ').trimEnd()}\n`).join('');
}

/** For tables whose first column names what the others count. */
export const allButFirst = (column: number) => column > 0;
