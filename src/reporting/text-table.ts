/**
 * Columns of text, two spaces apart, with a line feed after each row: the first to the left, the others as told. Rows are
 * as long as the first.
 */
export function textTable(rows: readonly (readonly string[])[], align: 'left' | 'right' = 'left'): string {
  const length = (cell: string | undefined) => [...(cell ?? '')].length;
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => length(row[column])))) ?? [];
  const padded = (cell: string, column: number) => {
    const space = ' '.repeat(Math.max(0, (widths[column] ?? 0) - length(cell)));
    return column === 0 || align === 'left' ? cell + space : space + cell;
  };
  return rows.map((row) => `${row.map(padded).join('  ').trimEnd()}\n`).join('');
}
