"""The report as a picture: one small bar chart for every row, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.systems import SYSTEMS
from benchmarks.table import format_target, format_value

COLUMNS = 3
PANEL_WIDTH = 400
BAR_HEIGHT = 18
BAR_LEFT = 92
BAR_SPACE = PANEL_WIDTH - BAR_LEFT - 84
HEAD_HEIGHT = 44
GAP = 20
TITLE_HEIGHT = 64

COLOURS = {"ours": "#1769aa", "stdlib": "#8a949e"}
PEER_COLOUR = "#c3cad1"

Row = Mapping[str, Any]


def render_chart(report: Mapping[str, Any]) -> str:
    """The text of an SVG file with a panel for every row that compares something."""
    rows = [row for row in report["measures"] if len(row["systems"]) > 1]
    lines = [rows[start : start + COLUMNS] for start in range(0, len(rows), COLUMNS)]
    parts, top = [_title(report["machine"])], TITLE_HEIGHT
    for line in lines:
        for number, row in enumerate(line):
            parts.append(_panel(row, GAP + number * (PANEL_WIDTH + GAP), top))
        top += max(_panel_height(row) for row in line) + GAP
    width = GAP + COLUMNS * (PANEL_WIDTH + GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
        f'viewBox="0 0 {width} {top}" font-family="Helvetica, Arial, sans-serif">\n'
        f'<rect width="{width}" height="{top}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def bar_lengths(values: Sequence[float], space: float) -> list[float]:
    """Lengths in proportion to the values, the largest filling the space."""
    largest = max(max(values), 0.0)
    if largest == 0:
        return [0.0 for _ in values]
    return [max(0.0, value) / largest * space for value in values]


def _title(machine: Mapping[str, Any]) -> str:
    about = f"{machine['cores']} cores of {machine['cpu']}, {machine['python']}, 2 workers"
    return "\n".join(
        [
            _text(GAP, 28, "Speed", size=20, weight="bold"),
            _text(GAP, 48, f"{about}; medians of one run", size=12, fill="#5a646e"),
        ]
    )


def _panel(row: Row, left: int, top: int) -> str:
    names = [name for name in SYSTEMS if name in row["systems"]]
    values = [row["systems"][name]["median"] for name in names]
    direction = "more is better" if row["more_is_better"] else "less is better"
    about = f"{row['unit']}, {direction}"
    if row["target"]:
        about += f"; target {format_target(row)}"
    parts = [
        _text(left, top + 14, row["title"], size=14, weight="bold"),
        _text(left, top + 31, about, size=11, fill="#5a646e"),
    ]
    lengths = bar_lengths(values, BAR_SPACE)
    for number, (name, value, length) in enumerate(zip(names, values, lengths, strict=True)):
        parts.append(_bar(name, value, length, left, top + HEAD_HEIGHT + number * BAR_HEIGHT))
    return "\n".join(parts)


def _bar(name: str, value: float, length: float, left: int, top: int) -> str:
    weight = "bold" if name == "ours" else "normal"
    start = left + BAR_LEFT
    fill = COLOURS.get(name, PEER_COLOUR)
    name_text = _text(start - 8, top + 12, SYSTEMS[name].title, anchor="end", weight=weight)
    size = f'width="{max(length, 1):.1f}" height="{BAR_HEIGHT - 4}"'
    rect = f'<rect x="{start}" y="{top + 1}" {size} fill="{fill}"/>'
    value_text = _text(start + length + 6, top + 12, format_value(value), weight=weight)
    return "\n".join([name_text, rect, value_text])


def _panel_height(row: Row) -> int:
    return HEAD_HEIGHT + len(row["systems"]) * BAR_HEIGHT


def _text(
    left: float,
    top: float,
    text: str,
    *,
    size: int = 12,
    anchor: str = "start",
    weight: str = "normal",
    fill: str = "#1c2329",
) -> str:
    return (
        f'<text x="{left:.1f}" y="{top}" font-size="{size}" text-anchor="{anchor}" '
        f'font-weight="{weight}" fill="{fill}">{escape(text)}</text>'
    )
