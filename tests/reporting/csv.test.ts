import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvRow, readCsvRows } from '#src/reporting/csv.js';

const rows: readonly (readonly [cells: readonly string[], line: string])[] = [
  [['a', 'b'], 'a,b\n'],
  [['', ''], ',\n'],
  [['a,b', 'c'], '"a,b",c\n'],
  [['say "x"', ''], '"say ""x""",\n'],
  [['two\nlines', 'and\r\nthese'], '"two\nlines","and\r\nthese"\n'],
  [[' leading', 'trailing '], '" leading","trailing "\n'],
  [['ünï/日本/🐈.jpg', 'x'], 'ünï/日本/🐈.jpg,x\n'],
];

for (const [cells, line] of rows) {
  test(`${JSON.stringify(cells)} is written so that it is read back`, () => {
    assert.equal(csvRow(cells), line);
    assert.deepEqual(readCsvRows(line), { rows: [cells], end: line.length });
    assert.deepEqual(readCsvRows(line.replace(/\n$/, '\r\n')).rows, [cells]);
  });
}

test('a row that was cut off is told from complete ones', () => {
  const whole = 'path,reason\n"a ""b""",x\n';
  for (const rest of ['', 'c', 'c,', 'c,d', '"c\n', '"c\n,d\n', '"c"d,e\n']) {
    assert.deepEqual(readCsvRows(whole + rest), {
      rows: [
        ['path', 'reason'],
        ['a "b"', 'x'],
      ],
      end: whole.length,
    });
  }
});
