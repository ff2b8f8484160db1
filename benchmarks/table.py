"""The report as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.systems import SYSTEMS

Row = Mapping[str, Any]


def render_table(report: Mapping[str, Any]) -> str:
    """All rows, one column for every system that has a value, and the footnotes."""
    measures = report["measures"]
    systems = [name for name in SYSTEMS if any(name in row["systems"] for row in measures)]
    references = [name for name in ("stdlib", "upstream") if any(name in row["ratios"] for row in measures)]
    header = ["measure", "unit", *(SYSTEMS[name].title for name in systems)]
    header += [*(f"ours / {SYSTEMS[name].title}" for name in references), "target", ""]
    body = [_cells(row, systems, references) for row in measures]
    return "\n".join([*align([header, *body]), *_footnotes(report)])


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width; the first row is the header, the first column is text."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def format_value(value: float) -> str:
    """Three significant digits, whole numbers with thousands separators."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    if abs(value) >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}"


def format_ratio(ratio: Mapping[str, float]) -> str:
    """The median and, in brackets, the smallest and largest."""
    if ratio["low"] == ratio["high"]:
        return format_value(ratio["median"])
    low, high = format_value(ratio["low"]), format_value(ratio["high"])
    return f"{format_value(ratio['median'])} ({low}-{high})"


def format_target(row: Row) -> str:
    """The bound, with the direction and what it is a ratio to."""
    target = row["target"]
    if target is None:
        return ""
    sign = ">=" if row["more_is_better"] else "<="
    if target["peer"] is None:
        return f"{sign} {format_value(target['bound'])}"
    return f"{sign} {target['bound']:.1f} x {SYSTEMS[target['peer']].title}"


def _cells(row: Row, systems: Sequence[str], references: Sequence[str]) -> list[str]:
    values = [_system_cell(row, name) for name in systems]
    ratios = [format_ratio(row["ratios"][name]) if name in row["ratios"] else "" for name in references]
    verdict = {True: "reached", False: "MISSED", None: ""}[row["reached"]]
    return [row["title"], row["unit"], *values, *ratios, format_target(row), verdict]


def _system_cell(row: Row, name: str) -> str:
    entry = row["systems"].get(name)
    if entry is None:
        return "-"
    return format_value(entry["median"]) + ("*" if _is_shortened(row, entry) else "")


def _is_shortened(row: Row, entry: Row) -> bool:
    most = max(other.get("tasks", 0) for other in row["systems"].values())
    return bool(entry.get("tasks", most) < most)


def _footnotes(report: Mapping[str, Any]) -> list[str]:
    notes = []
    shortened = [
        f"{SYSTEMS[name].title} {entry['tasks']:,} ({row['title']})"
        for row in report["measures"]
        for name, entry in row["systems"].items()
        if _is_shortened(row, entry)
    ]
    if shortened:
        notes.append(f"* measured with fewer tasks: {', '.join(shortened)}")
    notes += [
        f"{SYSTEMS[name].title} left out: {reason}" for name, reason in report.get("unavailable", {}).items()
    ]
    notes += [
        f"{failure['workload']} failed for {SYSTEMS[failure['system']].title}: {failure['reason']}"
        for failure in report["failures"]
    ]
    return ["", *notes] if notes else []
