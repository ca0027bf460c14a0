import { Html } from './html.js';

/**
 * How pages of results look. Plots are drawn for white paper: in the dark they are turned into their negative, with their
 * hues turned back.
 */
export const style = new Html(`
:root {
  --paper: #fff; --ink: #1f2933; --quiet: #52606d; --line: #d5dae0; --tint: #f5f7fa; --accent: 0 114 178;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #101418; --ink: #e4e7eb; --quiet: #9aa5b1; --line: #323f4b; --tint: #1a2027; --accent: 86 180 233; }
  .plot { filter: invert(1) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 16px 20px 48px; }
h1 { margin: 12px 0 0; font-size: 28px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 40px 0 12px; padding-top: 12px; border-top: 1px solid var(--line); font-size: 20px; }
h3 { margin: 28px 0 8px; font-size: 16px; }
p { max-width: 70ch; overflow-wrap: anywhere; }
.quiet, figcaption, caption, small { color: var(--quiet); }
.warning { padding: 8px 12px; border-left: 4px solid #d55e00; background: var(--tint); }
dl { margin: 0; }
dl > div { display: flex; gap: 12px; padding: 3px 0; border-bottom: 1px solid var(--line); }
dt { flex: 0 0 11em; color: var(--quiet); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 12px; margin: 20px 0; }
.figures > div { display: block; padding: 10px 14px; border: 0; border-radius: 8px; background: var(--tint); }
.figures dd { font-size: 22px; font-variant-numeric: tabular-nums; }
.figures small { display: block; font-size: 12px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 16px; }
figure { margin: 0; min-width: 0; }
.plot svg, .plot img { display: block; max-width: 100%; height: auto; }
.pixels { width: min(100%, 730px); image-rendering: pixelated; border: 1px solid #cbd2d9; }
.wide { max-width: 100%; max-height: 80vh; overflow: auto; margin: 8px 0 16px; }
table { border-collapse: collapse; font-size: 14px; }
caption { text-align: left; padding-bottom: 4px; position: sticky; left: 0; }
th, td { padding: 3px 10px; border-bottom: 1px solid var(--line); text-align: left; unicode-bidi: isolate; vertical-align: top; }
th { font-weight: 500; }
thead th { position: sticky; top: 0; background: var(--paper); color: var(--quiet); vertical-align: bottom; }
.numbers td, .numbers thead th + th { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.words tbody th { white-space: nowrap; }
.words td { overflow-wrap: anywhere; min-width: 6em; }
b { unicode-bidi: isolate; }
details { margin: 8px 0; }
summary { cursor: pointer; padding: 4px 0; color: rgb(var(--accent)); }
.confusion td { padding: 0; width: 40px; min-width: 34px; height: 30px; text-align: center; vertical-align: middle;
  font-variant-numeric: tabular-nums; border: 1px solid var(--paper); background: rgb(var(--accent) / var(--share, 0)); }
.confusion.many td { min-width: 20px; width: 22px; height: 22px; font-size: 11px; }
.confusion td.most { color: var(--paper); }
.confusion tbody th { position: sticky; left: 0; background: var(--paper); white-space: nowrap; max-width: 14em; overflow: hidden; text-overflow: ellipsis; }
.confusion thead th { padding: 6px 2px; text-align: left; }
.confusion thead th span { display: inline-block; writing-mode: vertical-rl; transform: rotate(180deg); max-height: 14em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 16px 12px; padding: 0; list-style: none; }
.images img, .images .missing { display: block; width: 112px; height: 112px; border-radius: 4px; background: var(--tint); }
.images .missing { padding: 8px; font-size: 12px; color: var(--quiet); }
.images div { font-size: 13px; line-height: 1.35; overflow-wrap: anywhere; unicode-bidi: isolate; }
.bar { display: flex; height: 14px; border-radius: 4px; overflow: hidden; background: var(--tint); }
.bar i { display: block; }
@media (max-width: 520px) {
  main { padding: 8px 14px 32px; }
  dt { flex-basis: 8em; }
}
@media print { .wide { max-height: none; overflow: visible; } }
`);
