"""Two reports side by side: what became faster, what slower."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.table import align, format_value

#: Changes within this factor are noise on a small machine.
NOISE = 1.1


def render_comparison(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Our value in both reports for every row that both have.

    Where both runs measured the stdlib's pool too, the ratio to it is compared, because that
    takes out how busy the machine was.
    """
    before = {row["name"]: row for row in old["measures"] if "ours" in row["systems"]}
    rows = [
        _cells(before[row["name"]], row)
        for row in new["measures"]
        if row["name"] in before and "ours" in row["systems"]
    ]
    header = ["measure", "unit", "old", "new", "change", "relative to stdlib", ""]
    return "\n".join(align([header, *rows]))


def verdict_of(change: float, more_is_better: bool) -> str:
    """Name a change, given as new over old."""
    gain = change if more_is_better else 1 / change
    if gain > NOISE:
        return "better"
    return "WORSE" if gain < 1 / NOISE else ""


def _cells(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before, after = old["systems"]["ours"]["median"], new["systems"]["ours"]["median"]
    change = after / before if before else 1.0
    relative = _relative_change(old, new)
    judged = change if relative is None else relative
    return [
        new["title"],
        new["unit"],
        format_value(before),
        format_value(after),
        f"x {change:.2f}",
        "" if relative is None else f"x {relative:.2f}",
        verdict_of(judged, new["more_is_better"]) if judged > 0 else "",
    ]


def _relative_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> float | None:
    before, after = old["ratios"].get("stdlib"), new["ratios"].get("stdlib")
    if not before or not after or not before["median"]:
        return None
    return float(after["median"] / before["median"])
