// The table and the plots of a learning-rate range test.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTextAtomically } from '../atomic-file.js';
import { csvRow } from '../reporting/csv.js';
import { type PlotSpec, plotColours, renderPlot, svgToPng } from '../reporting/plot.js';
import { cannotWrite, timestamp } from '../reporting/run-files.js';
import { type SmoothedPoint, type SuggestedRates, smoothed, suggestRates } from '../training/lr-range.js';
import type { RangeTestResult } from '../training/range-test.js';

/**
 * Writes them into a folder that is made if need be.
 * @throws UserError where the file system refuses.
 */
export async function writeRange(
  folder: string,
  name: string,
  { points }: RangeTestResult,
): Promise<{ suggestion: SuggestedRates | undefined; paths: string[] }> {
  const all = smoothed(points);
  const suggestion = suggestRates(all);
  const svg = await renderPlot(rangePlot(all, suggestion, name));
  const stem = join(folder, `${name}${timestamp(new Date())}`);
  const [csv, drawing, picture] = [`${stem}.csv`, `${stem}.svg`, `${stem}.png`];
  try {
    await mkdir(folder, { recursive: true });
    writeTextAtomically(csv, rangeTable(all));
    writeTextAtomically(drawing, svg);
    await writeFile(picture, await svgToPng(svg));
  } catch (error) {
    throw cannotWrite(folder, error);
  }
  return { suggestion, paths: [csv, drawing, picture] };
}

function rangeTable(points: readonly SmoothedPoint[]): string {
  const rows = points.map((point, index) => {
    const { learningRate, loss, smoothed: mean } = point;
    return csvRow([index + 1, learningRate, loss, mean].map(String));
  });
  return [csvRow(['step', 'lr', 'loss', 'smoothed_loss']), ...rows].join('');
}

/** How far above the first loss the plot reaches, so that the end does not flatten the rest. */
const headroom = 1.5;

function rangePlot(points: readonly SmoothedPoint[], suggestion: SuggestedRates | undefined, name: string): PlotSpec {
  const lowest = Math.min(...points.map(({ smoothed: mean }) => mean));
  const top = headroom * Math.max(...points.slice(0, 10).map(({ loss }) => loss));
  const scale = { domain: [Math.max(0, lowest * 0.8), top], clamp: false, nice: true };
  const x = { field: 'learningRate', type: 'quantitative', scale: { type: 'log' }, title: 'Learning rate' } as const;
  const marks = suggestion
    ? [
        { at: suggestion.steepest, what: 'steepest' },
        ...(suggestion.tenthOfLowest === undefined ? [] : [{ at: suggestion.tenthOfLowest, what: 'lowest / 10' }]),
      ]
    : [];
  return {
    ...{ width: 480, height: 280, title: `${name}: loss while the learning rate rises`, data: { values: [...points] } },
    layer: [
      {
        mark: { type: 'point', clip: true, filled: true, size: 10, opacity: 0.4, color: plotColours[6] },
        encoding: {
          x: { ...x, axis: { format: '.0e', tickCount: 8 } },
          y: { field: 'loss', type: 'quantitative', scale, title: 'Loss' },
        },
      },
      {
        mark: { type: 'line', clip: true, color: plotColours[0] },
        encoding: { x, y: { field: 'smoothed', type: 'quantitative', scale } },
      },
      {
        data: { values: marks },
        mark: { type: 'rule', strokeDash: [4, 3], color: plotColours[1] },
        encoding: { x: { ...x, field: 'at' } },
      },
      {
        data: { values: marks },
        mark: { type: 'text', angle: 270, dy: -6, align: 'right', color: plotColours[1] },
        encoding: { x: { ...x, field: 'at' }, y: { value: 4 }, text: { field: 'what', type: 'nominal' } },
      },
    ],
  } as PlotSpec;
}
