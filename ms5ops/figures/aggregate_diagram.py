"""The hierarchy of aggregates as a diagram in HTML: text that wraps, scales and follows the theme, which boxes drawn
by plotly do not: at a tablet's width they ran into each other."""

from collections.abc import Sequence
from html import escape

from ms5ops.figures.charts import BAD, GOOD, NEUTRAL, STORED, WARNING
from ms5ops.observe.finding import short
from ms5ops.observe.freshness import Freshness, Node

STATES: dict[Freshness | None, tuple[str, str]] = {
    None: ("Table with raw rows", STORED),
    "fresh": ("Within its promise", GOOD),
    "late": ("Late", BAD),
    "paused": ("Refresh paused", WARNING),
    "no policy": ("No refresh policy", WARNING),
    "empty": ("Not filled yet", NEUTRAL),
    "not known": ("Cannot be told", NEUTRAL),
}

# Wide: one column per level, lines between the boxes. Narrow: one box under the other, indented by its level.
_STYLE = """
<style>
.ms5-levels { container-type: inline-size; font-size: 0.85rem; line-height: 1.4; }
.ms5-legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; margin-bottom: 0.8rem; }
.ms5-grid { display: grid; column-gap: 2rem; row-gap: 0.9rem; }
.ms5-box { border: 1.5px solid var(--state); border-radius: 0.4rem; background: rgba(138, 153, 168, 0.10);
  padding: 0.45rem 0.7rem; position: relative; overflow-wrap: anywhere; }
.ms5-name { font-weight: 600; }
.ms5-soft { opacity: 0.75; }
.ms5-dot { display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 50%; background: var(--state);
  margin-right: 0.4rem; }
.ms5-dot.ms5-raw { border-radius: 0.1rem; }
.ms5-box.ms5-child::before { content: ""; position: absolute; right: 100%; top: 50%; width: calc(2rem + 1.5px);
  border-top: 1.5px solid rgba(138, 153, 168, 0.9); }
.ms5-box.ms5-child::after { content: ""; position: absolute; right: 100%; top: calc(50% - 4px);
  border: 5px solid transparent; border-left: 7px solid rgba(138, 153, 168, 1); border-right: 0; }
.ms5-box.ms5-branch::before { width: 1rem; }
.ms5-line { border-left: 1.5px solid rgba(138, 153, 168, 0.9); width: 0; justify-self: end;
  transform: translateX(1rem); margin: -0.45rem 0; }
@container (max-width: 640px) {
  .ms5-grid { display: block; }
  .ms5-box { margin: 0 0 0.6rem calc(var(--level) * 1.6rem); }
  .ms5-line { display: none; }
  .ms5-box.ms5-child::before { width: 0.9rem; }
}
</style>
"""


def diagram_html(nodes: Sequence[Node]) -> str:
    """Boxes from left (raw rows) to right (coarsest), each with its size, how far it is behind and what is promised."""
    at = {node.name: node for node in nodes}
    columns = max((node.column for node in nodes), default=0) + 1
    states = [state for state in STATES if any(node.freshness == state for node in nodes)]
    legend = "".join(f"<span>{_dot(state)}{STATES[state][0]}</span>" for state in states)
    inner = "".join(
        _line(at[node.parent], node) + _box(node, at[node.parent]) if node.parent is not None else _box(node, None)
        for node in sorted(nodes, key=lambda node: (node.row, node.column))
    )
    return (
        f'{_STYLE}<div class="ms5-levels"><div class="ms5-legend">{legend}</div>'
        f'<div class="ms5-grid" style="grid-template-columns: repeat({columns}, minmax(0, 1fr))">{inner}</div></div>'
    )


def _box(node: Node, parent: Node | None) -> str:
    kind = "" if parent is None else " ms5-child" if parent.row == node.row else " ms5-child ms5-branch"
    place = f"grid-column: {node.column + 1}; grid-row: {int(node.row) * 2 + 1} / span 2"
    style = f"--state: {STATES[node.freshness][1]}; --level: {node.column}; {place}"
    lines = "".join(f'<div class="ms5-soft">{escape(line)}</div>' for line in node.lines)
    name = escape(short(node.name)).replace("_", "_<wbr>")
    return (
        f'<div class="ms5-box{kind}" style="{style}" title="{escape("; ".join(node.about))}">'
        f'<div class="ms5-name">{_dot(node.freshness)}{name}</div>{lines}</div>'
    )


def _line(parent: Node, node: Node) -> str:
    """The upright part of the way from a parent in a row above: from that row's middle to this one's."""
    if parent.row == node.row:
        return ""
    first, last = int(parent.row) * 2 + 2, int(node.row) * 2 + 2
    return f'<div class="ms5-line" style="grid-column: {parent.column + 1}; grid-row: {first} / {last}"></div>'


def _dot(state: Freshness | None) -> str:
    raw = " ms5-raw" if state is None else ""
    return f'<span class="ms5-dot{raw}" style="--state: {STATES[state][1]}"></span>'
