"""The look of the report on a comparison: its style sheet, for light and dark screens and for paper."""

from allmende.weights.colour_scale import STEPS, is_dark_ink, ramp

__all__ = ["style_sheet"]

_SHEET = """
:root { color-scheme: light dark; --ground: #faf8f3; --sheet: #ffffff; --sunk: #f1eee5; --ink: #1d2421;
  --quiet: #57615c; --line: #dcd7c8; --accent: #1b6345; --added: #e3f3e6; --removed: #fbe6e3; --zero: #f6f4ec;
  --odd: #6a3a84; --odd-ground: #f3eaf7; --bar: #2c7d6b;
  --text: system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif;
  --mono: ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", "Liberation Mono", monospace; }
@media (prefers-color-scheme: dark) { :root { --ground: #141816; --sheet: #1b201d; --sunk: #232926;
  --ink: #e7e9e4; --quiet: #a5aea8; --line: #37403b; --accent: #7fcea6; --added: #1b3324; --removed: #3a211d;
  --zero: #1f2522; --odd: #cfa3e6; --odd-ground: #33263b; --bar: #62b79c; } }
*, *::before, *::after { box-sizing: border-box; }
html { font: 100%/1.5 var(--text); background: var(--ground); color: var(--ink); }
body { margin: 0 auto; max-width: 84rem; padding: 2.25rem 1.5rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 0.25rem; font-weight: 650; letter-spacing: -0.01em; }
h1 .arrow { color: var(--quiet); font-weight: 400; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 0.5rem; font-weight: 650; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.4rem; }
p, ul, dl { margin: 0 0 0.9rem; max-width: 68ch; }
ul { padding-inline-start: 1.2rem; }
.quiet { color: var(--quiet); }
code, pre, .mono { font-family: var(--mono); font-size: 0.86em; }
.sides { display: grid; grid-template-columns: auto 1fr; gap: 0.1rem 0.75rem; margin: 0.75rem 0 0;
  max-width: none; }
.sides dt { font-weight: 650; color: var(--quiet); }
.sides dd { margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.75rem;
  margin: 1.5rem 0; padding: 0; list-style: none; max-width: none; }
.tiles li { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px;
  padding: 0.8rem 1rem; }
.tiles b { display: block; font-size: 1.65rem; font-weight: 600; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.tiles span { color: var(--quiet); font-size: 0.82rem; }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.25rem;
  overflow-x: auto; }
.keys { display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem 1.5rem; margin-bottom: 0.75rem;
  font-size: 0.82rem; color: var(--quiet); }
.keys i { display: inline-block; width: 1.5rem; height: 0.85rem; border-radius: 2px; vertical-align: -0.08rem;
  margin-inline-end: 0.4rem; border: 1px dashed var(--line); background: var(--zero); }
.keys i.odd { background: var(--odd-ground); border: 1px solid var(--odd); }
svg { display: block; font-family: var(--text); }
svg text { fill: var(--ink); font-size: 12px; }
svg .label { font-size: 12.5px; }
svg .head { font-weight: 600; }
svg .tick { fill: var(--quiet); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .axis, svg .grid { stroke: var(--line); fill: none; }
svg.chart { max-width: 100%; height: auto; min-width: 46rem; margin-inline: auto; }
svg .ground { fill: transparent; }
svg .line:hover .ground { fill: var(--sunk); }
svg .value { font-size: 11px; font-variant-numeric: tabular-nums; pointer-events: none; }
svg .cell { rx: 2px; }
svg .cell.zero { fill: var(--zero); stroke: var(--line); stroke-dasharray: 2 2; }
svg .value.zero { fill: var(--quiet); }
svg .cell.odd { fill: var(--odd-ground); stroke: var(--odd); }
svg .value.odd { fill: var(--odd); }
svg g:hover > .cell { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: none; }
svg .track { fill: transparent; }
svg .bar { fill: var(--bar); }
table { border-collapse: collapse; font-size: 0.82rem; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: start; color: var(--quiet); padding-bottom: 0.5rem; }
th, td { text-align: start; padding: 0.28rem 0.8rem 0.28rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
table.keyed { table-layout: fixed; min-width: 36rem; }
table.keyed th:last-child { width: 6rem; }
th { font-weight: 600; }
tbody th.mono { font-weight: 400; }
thead th { color: var(--quiet); white-space: nowrap; }
.n { text-align: end; white-space: nowrap; }
td.name { font-family: var(--mono); font-size: 0.95em; }
details { margin-top: 1rem; }
summary { cursor: pointer; font-weight: 600; }
:focus-visible { outline: 3px solid #9a5b00; outline-offset: 2px; border-radius: 3px; }
pre { background: var(--sunk); border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem;
  overflow-x: auto; line-height: 1.45; margin: 0 0 1rem; }
pre span { display: block; white-space: pre-wrap; }
pre .plus { background: var(--added); }
pre .minus { background: var(--removed); }
pre .at { color: var(--quiet); }
.tokens { display: flex; flex-wrap: wrap; gap: 0.25rem; margin: 0 0 1rem; padding: 0; list-style: none;
  max-width: none; }
.tokens li { font-family: var(--mono); font-size: 0.82rem; background: var(--sunk); border-radius: 4px;
  padding: 0.05rem 0.4rem; white-space: pre-wrap; }
dl.terms { display: grid; grid-template-columns: minmax(9rem, auto) 1fr; gap: 0.3rem 1rem; max-width: 80ch;
  font-size: 0.88rem; }
dl.terms dt { font-weight: 600; }
dl.terms dd { margin: 0; }
@media (max-width: 40rem) { body { padding-inline: 1rem; } dl.terms { grid-template-columns: 1fr; } }
@media print { html { font-size: 10pt; background: #fff; } body { max-width: none; padding: 0; }
  .sheet { border: 0; padding: 0; overflow: visible; } svg.chart { width: 100%; height: auto; }
  svg rect, pre span { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, h3, .keys { break-after: avoid; } tr, .tiles { break-inside: avoid; } }
"""


def style_sheet() -> str:
    """The whole sheet."""
    light, dark = _colours(dark=False), _colours(dark=True)
    return f"{_SHEET}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"


def _colours(*, dark: bool) -> str:
    colours = ramp(dark=dark)
    return "".join(
        f"svg rect.c{step} {{ fill: {colours[step]}; }} "
        f"svg text.c{step} {{ fill: {'#000000' if is_dark_ink(step, dark=dark) else '#ffffff'}; }}\n"
        for step in range(STEPS)
    )
