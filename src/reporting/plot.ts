// Plots: described in Vega-Lite's grammar (Satyanarayan et al. 2017, doi:10.1109/TVCG.2016.2599030), drawn as SVG without a
// browser. Colours and type are the same in all of them and come from here.

import type { Config, TopLevelSpec } from 'vega-lite';

/** A plot in Vega-Lite's grammar; what it does not say about colours and type is as in all plots. */
export type PlotSpec = TopLevelSpec;

/** Told apart by people with any kind of colour vision, on white (Okabe and Ito 2008, without their yellow). */
export const plotColours = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#56B4E9', '#E69F00', '#4D4D4D'] as const;

const font = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';
const ink = '#1f2933';
const quiet = '#616e7c';

const config: Config = {
  background: 'white',
  padding: 12,
  font,
  view: { stroke: null },
  range: { category: [...plotColours], heatmap: { scheme: 'blues' } },
  title: { anchor: 'start', color: ink, fontSize: 15, subtitleColor: quiet, subtitleFontSize: 12, offset: 14 },
  axis: {
    domainColor: '#cbd2d9',
    gridColor: '#e4e7eb',
    tickColor: '#cbd2d9',
    labelColor: ink,
    labelFontSize: 11,
    // Without a browser widths are estimated, too large by a half.
    labelLimit: 480,
    titleColor: quiet,
    titleFontSize: 11,
    titleFontWeight: 'normal',
  },
  legend: { labelColor: ink, labelFontSize: 11, titleColor: quiet, titleFontSize: 11, titleFontWeight: 'normal' },
  header: { labelColor: ink, labelFontSize: 12, labelFontWeight: 'bold', titleColor: quiet },
};

/** The plot as an SVG document. Takes a third of a second the first time, for the library to load. */
export async function renderPlot(spec: PlotSpec): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const logger = vega.logger(vega.Warn);
  const compiled = compile(spec, { config, logger });
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logger });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/**
 * The drawing as a PNG with `scale` pixels for each of its units. Letters need a font on the machine, as any rendering of
 * SVG does: without one they are missing.
 */
export async function svgToPng(svg: string, { scale = 2 } = {}): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  return sharp(Buffer.from(svg), { density: 72 * scale })
    .png()
    .toBuffer();
}
