import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { renderPlot, svgToPng } from '#src/reporting/plot.js';

const bars = {
  title: 'Speeds',
  data: {
    values: [
      { name: 'a', speed: 1 },
      { name: 'b', speed: 3 },
    ],
  },
  mark: 'bar',
  encoding: { x: { field: 'speed', type: 'quantitative' }, y: { field: 'name', type: 'nominal' } },
} as const;

test('a plot is an SVG document with its title and marks in proportion', async () => {
  const svg = await renderPlot(bars);
  assert.match(svg, /^<svg[^>]* xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  assert.match(svg, />Speeds</);
  const widths = [...svg.matchAll(/aria-roledescription="bar" d="M0,[\d.]+h([\d.]+)v/g)].map(([, width]) =>
    Number(width),
  );
  const [first = 0, second = 0] = widths;
  assert.equal(widths.length, 2);
  assert.ok(Math.abs(second / first - 3) < 1e-6, `bars of ${widths}`);
});

test('a mistake in a plot throws rather than draws nothing', async () => {
  await assert.rejects(renderPlot({ ...bars, mark: 'no-such-mark' } as never));
});

test('a PNG has two pixels for each unit of the drawing', async () => {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="#f00"/></svg>';
  const image = sharp(await svgToPng(svg));
  const { width, height, format } = await image.metadata();
  assert.deepEqual({ width, height, format }, { width: 80, height: 60, format: 'png' });
  assert.deepEqual((await image.stats()).dominant, { r: 248, g: 8, b: 8 });
});
