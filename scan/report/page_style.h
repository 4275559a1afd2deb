// The style sheet of a page.
#pragma once

namespace kith {

inline constexpr char kPageStyle[] = R"css(
:root { color-scheme: light dark; --ink: #1d2530; --soft: #5d6978; --rule: #dde3ea; --ground: #f6f8fa; --sheet: #fff; --blue: #2467a8; --bar: #9dbfdf; --orange: #d9711c; --frame: #c4ccd5; --faint: #e8ecf1; --deep: #124a8c; --gray: #8e99a6; --green: #3a8a5f; --edge: #1d253038; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ef; --soft: #98a4b3; --rule: #333c48; --ground: #14181d; --sheet: #1c2229; --blue: #6fb0ee; --bar: #3c5f84; --orange: #f0954a; --frame: #4a5563; --faint: #2a323c; --deep: #4d94dd; --gray: #9aa6b4; --green: #5cba8a; --edge: #000a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 36px 28px 60px; }
h1 { font-size: 27px; font-weight: 650; letter-spacing: -.01em; margin: 0 0 4px; }
h2 { font-size: 19px; font-weight: 650; margin: 0 0 4px; }
h3 { font-size: 15px; font-weight: 600; margin: 18px 0 6px; }
section { background: var(--sheet); border: 1px solid var(--rule); border-radius: 10px; padding: 22px 26px 24px; margin-top: 20px; }
p { margin: 0 0 12px; color: var(--soft); max-width: 78ch; }
dl { display: flex; flex-wrap: wrap; gap: 6px 30px; margin: 12px 0 0; }
dt { color: var(--soft); font-size: 12.5px; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.scores { width: 100%; max-width: 760px; }
th { text-align: right; font-weight: 600; font-size: 12.5px; color: var(--soft); border-bottom: 1.5px solid var(--ink); padding: 6px 14px; }
td { text-align: right; border-bottom: 1px solid var(--rule); padding: 7px 14px; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.best { font-weight: 700; }
td.bar { width: 38%; padding: 7px 0; }
.wide td, .wide th { padding: 6px 8px; font-size: 13px; white-space: nowrap; }
.bar div { height: 11px; border-radius: 2px; background: var(--bar); }
.best + td.bar div { background: var(--blue); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); gap: 10px 22px; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
.chart { max-width: 400px; }
.title { font-size: 12.5px; font-weight: 600; fill: var(--ink); }
.tick { font-size: 10.5px; fill: var(--soft); }
.label { font-size: 11px; fill: var(--soft); }
.grid { stroke: var(--faint); }
.ground { fill: var(--faint); }
.shade { fill: var(--deep); }
.axis { stroke: var(--gray); }
.line { fill: none; stroke: var(--blue); stroke-width: 1.8; stroke-linejoin: round; }
.dot { fill: var(--blue); }
.value { fill: transparent; }
.value:hover, .value.shown { fill: var(--blue); fill-opacity: .35; }
.read { font-size: 11px; fill: var(--ink); font-variant-numeric: tabular-nums; }
.name { font-size: 11.5px; fill: var(--ink); }
.count { font-size: 11px; fill: var(--ink); }
.spread { stroke-opacity: .5; }
.on-dark { fill: #fff; }
.cluster { display: grid; grid-template-columns: 176px 74px 1fr; gap: 16px; align-items: start; padding: 12px 0; border-top: 1px solid var(--rule); }
.cluster b { display: block; font-weight: 600; line-height: 1.35; }
.cluster small { color: var(--soft); font-size: 12.5px; line-height: 1.45; display: block; font-variant-numeric: tabular-nums; }
.cluster img { image-rendering: pixelated; display: block; border-radius: 4px; border: 3px solid var(--frame); background: #fff; }
.cluster img.right { border-color: var(--blue); }
.cluster img.wrong { border-color: var(--orange); border-style: dashed; }
.prototype img { width: 74px; }
.samples { display: flex; flex-wrap: wrap; gap: 5px; }
.samples img { width: 52px; }
.samples:focus-visible { outline: 2px solid var(--blue); outline-offset: 3px; border-radius: 4px; }
.samples output { flex-basis: 100%; font-size: 12.5px; overflow-wrap: anywhere; }
.cluster img.chosen { outline: 2px solid var(--ink); outline-offset: 1px; }
figure { margin: 0; }
figcaption { font-size: 11px; line-height: 1.5; color: var(--soft); text-align: center; font-variant-numeric: tabular-nums; }
.key { display: inline-block; width: 13px; height: 13px; border: 3px solid var(--blue); border-radius: 3px; vertical-align: -2px; margin-right: 6px; }
.key.wrong { margin-left: 18px; border-color: var(--orange); border-style: dashed; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 6px; margin-bottom: 10px; }
.legend button { font: inherit; font-size: 12.5px; color: var(--ink); background: none; border: 1px solid transparent; border-radius: 6px; padding: 3px 8px; cursor: pointer; }
.legend button:hover, .legend button[aria-pressed="true"] { border-color: var(--frame); }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px; }
.plot { position: relative; }
.plot svg:focus-visible, .chart:focus-visible, .scroll:focus-visible, .legend button:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
.plot circle { fill-opacity: .8; }
.plot .one g:not(.on) { opacity: .12; }
.plot circle.shown { stroke: var(--ink); stroke-width: 2; fill-opacity: 1; }
.card { position: absolute; top: 6px; right: 6px; width: 132px; padding: 8px; background: var(--sheet); border: 1px solid var(--rule); border-radius: 8px; font-size: 12px; line-height: 1.35; pointer-events: none; overflow-wrap: anywhere; }
.card[hidden], .card span[hidden] { display: none; }
.card span { display: block; }
.card span:first-child { image-rendering: pixelated; background-repeat: no-repeat; border-radius: 3px; margin-bottom: 6px; }
/* A shade at a side shows that there is more; it is covered where there is not. */
.scroll { overflow-x: auto; background: linear-gradient(to right, var(--sheet) 40%, transparent) local left / 36px 100% no-repeat, linear-gradient(to left, var(--sheet) 40%, transparent) local right / 36px 100% no-repeat, linear-gradient(to right, var(--edge), transparent) left / 13px 100% no-repeat, linear-gradient(to left, var(--edge), transparent) right / 13px 100% no-repeat; }
.grid th { white-space: normal; min-width: 6ch; vertical-align: bottom; }
.grid td.setting { white-space: normal; min-width: 16ch; max-width: 34ch; overflow-wrap: anywhere; }
.warning { color: var(--ink); border-left: 3px solid var(--orange); padding-left: 10px; margin-top: 12px; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12.5px; line-height: 1.45; margin: 8px 0 12px; }
details table { margin-top: 8px; }
.settings td:last-child, .settings th:last-child { text-align: left; }
summary { cursor: pointer; }
footer { color: var(--soft); font-size: 12.5px; margin-top: 20px; }
@media (max-width: 640px) {
  main { padding: 20px 10px 40px; }
  section { padding: 16px 14px 18px; }
  th, td { padding-left: 7px; padding-right: 7px; }
  .bar { display: none; }
  .cluster { grid-template-columns: 1fr 60px; gap: 8px 12px; }
  .cluster .samples { grid-column: 1 / -1; }
  .prototype img { width: 60px; }
  .samples img { width: 40px; border-width: 2px; }
  .scroll svg { min-width: min(var(--width), 520px); }
  .scroll .heat { min-width: var(--width); }
  .scroll .values { min-width: calc(.85 * var(--width)); }
  .dots .name { font-size: 15px; }
  .dots .tick, .dots .label { font-size: 14px; }
}
@media print {
  details::details-content { content-visibility: visible; }
  :root { --ground: #fff; }
  section { break-inside: avoid; border: 0; padding: 8px 0; }
  .card, .legend button { border: 0; }
}
)css";

}  // namespace kith
