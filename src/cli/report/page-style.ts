/** The style of the page: light and dark as the reader's system, narrow and wide, and for paper. */
export const PAGE_STYLE = `
:root {
  color-scheme: light;
  --ground: #ffffff; --panel: #f5f6f8; --line: #d5d9e0; --text: #1b1f27; --quiet: #545c6b;
  --link: #0b57b0; --focus: #0b57b0;
  --migrated: #1a7f4b; --adopted: #2f6fb8; --migratedOrAdopted: #17808a; --skipped: #6c7484; --excluded: #8a91a0;
  --held: #9a6300; --failed: #b3261e; --pending: #7a4fb5;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --ground: #14171d; --panel: #1d2129; --line: #39404d; --text: #e8eaef; --quiet: #a8b0be;
    --link: #86b7ff; --focus: #86b7ff;
    --migrated: #4cc38a; --adopted: #74a9ee; --migratedOrAdopted: #4fc0ca; --skipped: #9aa3b3; --excluded: #828b9b;
    --held: #e2a640; --failed: #ff8a80; --pending: #bb9af0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
main, body > header, body > footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
body > header { padding-top: 2rem; }
body > footer { padding-bottom: 3rem; color: var(--quiet); font-size: .875rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; padding-bottom: .35rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p, li { margin: .5rem 0; max-width: 52rem; } .verdict, .equation { max-width: none; }
a { color: var(--link); }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875em; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem; white-space: pre-wrap; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--ground); padding: .5rem 1rem; z-index: 1; }
.quiet { color: var(--quiet); }
.verdict { border: 1px solid; border-left-width: 6px; border-radius: 6px; padding: .6rem 1rem; margin: 1rem 0 0; font-weight: 600; }
.verdict.good { color: var(--migrated); } .verdict.bad { color: var(--failed); }
.verdict ul { margin: .25rem 0; padding-left: 1.25rem; font-weight: 400; color: var(--text); }
.totals { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 0; }
.totals div { background: var(--panel); border: 1px solid var(--line); border-top: 4px solid var(--quiet); border-radius: 6px; padding: .6rem .8rem; }
.totals dt { font-size: .875rem; color: var(--quiet); } .totals dd { margin: 0; font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.totals .migrated { border-top-color: var(--migrated); } .totals .adopted { border-top-color: var(--adopted); }
.totals .migratedOrAdopted { border-top-color: var(--migratedOrAdopted); } .totals .skipped { border-top-color: var(--skipped); }
.totals .excluded { border-top-color: var(--excluded); } .totals .held { border-top-color: var(--held); }
.totals .failed { border-top-color: var(--failed); } .totals .pending { border-top-color: var(--pending); }
.facts { display: grid; grid-template-columns: minmax(9rem, 15rem) 1fr; gap: .3rem 1rem; margin: .5rem 0; }
.facts dt { color: var(--quiet); } .facts dd { margin: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: .35rem; }
.plot { display: grid; grid-template-columns: auto 1fr; grid-template-rows: 11rem auto; gap: .15rem .5rem; font-size: .8rem; color: var(--quiet); font-variant-numeric: tabular-nums; }
.plot svg { width: 100%; height: 100%; border-left: 1px solid var(--line); border-bottom: 1px solid var(--line); }
.plot .scale { display: flex; flex-direction: column; justify-content: space-between; text-align: right; }
.plot .axis { grid-column: 2; display: flex; justify-content: space-between; gap: 1rem; } .plot .axis span:last-child { text-align: right; }
.area { fill: var(--migrated); opacity: .25; } .curve { fill: none; stroke: var(--migrated); stroke-width: 2; vector-effect: non-scaling-stroke; }
svg .migrated { fill: var(--migrated); } svg .adopted { fill: var(--adopted); } svg .migratedOrAdopted { fill: var(--migratedOrAdopted); }
svg .skipped { fill: var(--skipped); } svg .held { fill: var(--held); } svg .failed { fill: var(--failed); } svg .pending { fill: var(--pending); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; margin: .5rem 0 0; font-size: .875rem; }
.legend svg { width: .8rem; height: .8rem; vertical-align: -.05rem; margin-right: .35rem; }
.controls { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; margin: 0 0 .75rem; }
.controls label { display: flex; flex-direction: column; font-size: .875rem; color: var(--quiet); flex: 0 1 11rem; }
.controls label.wide { flex: 1 1 16rem; }
input, select, button { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--quiet); border-radius: 6px; padding: .4rem .6rem; min-height: 2.5rem; max-width: 100%; }
button { cursor: pointer; background: var(--panel); } button:disabled { cursor: default; opacity: .5; }
.pager { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; margin: .75rem 0; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
@media print, (min-width: 66.01rem) {
  .keys { table-layout: fixed; }
  .keys th:nth-child(1) { width: 3.75rem; } .keys th:nth-child(2) { width: 14%; } .keys th:nth-child(3) { width: 10%; }
  .keys th:nth-child(4) { width: 6.5rem; } .keys th:nth-child(5) { width: 7.5rem; } .keys th:nth-child(6) { width: 22%; }
  .keys th:nth-child(7) { width: 7rem; } .keys th:nth-child(9) { width: 7.5rem; }
}
caption { text-align: left; color: var(--quiet); padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem; border-bottom: 1px solid var(--line); }
thead th { background: var(--panel); border-bottom: 2px solid var(--line); }
th button { border: 0; background: none; padding: .1rem .2rem; min-height: 0; font-weight: 650; text-align: left; }
th button::after { content: " \\2195"; color: var(--quiet); }
th[aria-sort=ascending] button::after { content: " \\2191"; color: var(--link); }
th[aria-sort=descending] button::after { content: " \\2193"; color: var(--link); }
td.number { font-variant-numeric: tabular-nums; color: var(--quiet); }
td .more { display: block; color: var(--quiet); font-size: .875em; }
.state { font-weight: 600; } .state.migrated { color: var(--migrated); } .state.adopted { color: var(--adopted); }
.state.migratedOrAdopted { color: var(--migratedOrAdopted); } .state.skipped { color: var(--skipped); }
.state.held { color: var(--held); } .state.failed { color: var(--failed); } .state.pending { color: var(--pending); }
@media screen and (max-width: 66rem) {
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: .5rem; }
  .stack thead tr { display: flex; flex-wrap: wrap; gap: .25rem; padding: .25rem 0; }
  .stack thead th { border: 1px solid var(--line); border-radius: 6px; padding: .25rem .4rem; }
  .stack, .stack thead, .stack tbody, .stack caption { display: block; }
  .stack tbody tr { display: block; border: 1px solid var(--line); border-radius: 6px; margin-bottom: .6rem; padding: .35rem 0; }
  .stack tbody td, .stack tbody th { display: grid; grid-template-columns: 6.5rem 1fr; gap: .5rem; border: 0; padding: .2rem .75rem; }
  .stack tbody td::before, .stack tbody th::before { content: attr(data-label); color: var(--quiet); font-weight: 400; }
  .stack tbody td:has(div:empty) { display: none; }
  .stack thead.plain { display: none; }
}
@media print {
  body { font-size: 10pt; } .controls, .pager, .skip { display: none; }
  h2 { break-after: avoid; } tr, figure, .totals div { break-inside: avoid; } thead { display: table-header-group; }
  th button::after { content: "" !important; }
}
`;
