// A run's plots as pictures, for papers and slides.

import { writeFile } from 'node:fs/promises';
import { calibrationPlot, confusionPlot } from '../inference/evaluation/plots.js';
import { type PlotSpec, renderPlot, svgToPng } from '../reporting/plot.js';
import type { RunDescription } from '../reporting/run-description.js';
import { runCurves } from './curves.js';
import { confusionOf, type TestDetail } from './test-detail.js';

/** Writes PNG files whose names begin with `stem`, and returns their paths. Errors of the file system come as they are. */
export async function writePlots(stem: string, run: RunDescription, test: TestDetail | undefined): Promise<string[]> {
  const plots: (readonly [name: string, spec: PlotSpec])[] = runCurves(run).map(({ name, spec }) => [name, spec]);
  if (test) {
    const classes = test.classes.map(({ name }) => name);
    plots.push(['confusion', confusionPlot(confusionOf(test), classes, 'Test images')]);
    plots.push(['calibration', calibrationPlot(test.calibration, 'Test images')]);
  }
  const paths: string[] = [];
  for (const [name, spec] of plots) {
    const path = `${stem}.${name}.png`;
    await writeFile(path, await svgToPng(await renderPlot({ ...spec, background: 'white' })));
    paths.push(path);
  }
  return paths;
}
