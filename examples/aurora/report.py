"""What is shown of a sweep: a summary by kind of motion, and the positions as a picture."""

from __future__ import annotations

from oscillator import period_of

#: A drive, and the positions sampled with it.
Orbit = tuple[float, list[float]]

WIDTH, HEIGHT, MARGIN = 900, 480, 50
TEXT_COLUMNS, TEXT_ROWS = 76, 18
#: The least share of a column's points that is drawn as this character.
_SHADES = ((0.2, "#"), (0.1, "*"), (0.05, ":"), (1e-9, "."), (0.0, " "))


def summarize(orbits: list[Orbit]) -> list[tuple[float, float, str, int]]:
    """Return ranges of drives with the same kind of motion.

    Args:
        orbits: In the order of their drives.

    Returns:
        For each range its first drive, its last, what the motion is, and how many drives it has.
    """
    ranges: list[tuple[float, float, str, int]] = []
    for drive, samples in orbits:
        motion = describe(period_of(samples))
        if ranges and ranges[-1][2] == motion:
            first, _, _, count = ranges.pop()
            ranges.append((first, drive, motion, count + 1))
        else:
            ranges.append((drive, drive, motion, 1))
    return ranges


def describe(period: int | None) -> str:
    """Put a period into words."""
    if period is None:
        return "chaotic"
    return "with the drive" if period == 1 else f"repeats after {period}"


def text_plot(orbits: list[Orbit]) -> str:
    """Draw positions over drives with characters, the denser the more often a position is met."""
    counts = [[0] * TEXT_COLUMNS for _ in range(TEXT_ROWS)]
    for across, up in _scaled(orbits):
        column = min(int(across * TEXT_COLUMNS), TEXT_COLUMNS - 1)
        counts[TEXT_ROWS - 1 - min(int(up * TEXT_ROWS), TEXT_ROWS - 1)][column] += 1
    totals = [sum(column) or 1 for column in zip(*counts, strict=True)]
    return "\n".join(_text_row(row, totals) for row in counts)


def svg_plot(orbits: list[Orbit]) -> str:
    """Draw positions over drives as an SVG picture."""
    inner_width, inner_height = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    dots = "".join(
        f"M{MARGIN + across * inner_width:.1f} {HEIGHT - MARGIN - up * inner_height:.1f}h1"
        for across, up in _scaled(orbits)
    )
    middle = f'x="{WIDTH / 2}" text-anchor="middle"'
    low, high = orbits[0][0], orbits[-1][0]
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"
 font-family="sans-serif" font-size="15">
<rect width="100%" height="100%" fill="white"/>
<rect x="{MARGIN}" y="{MARGIN}" width="{inner_width}" height="{inner_height}" fill="none" stroke="#999"/>
<path d="{dots}" stroke="#0b4f8a" stroke-opacity="0.6"/>
<text {middle} y="{MARGIN - 18}">Position of a driven oscillator, once in each period of the drive</text>
<text {middle} y="{HEIGHT - 15}">strength of the drive</text>
<text x="{MARGIN}" y="{HEIGHT - 32}">{low:.3g}</text>
<text x="{WIDTH - MARGIN}" y="{HEIGHT - 32}" text-anchor="end">{high:.3g}</text>
</svg>
"""


def _scaled(orbits: list[Orbit]) -> list[tuple[float, float]]:
    """Return all points, both coordinates from 0 to 1."""
    positions = [position for _, samples in orbits for position in samples]
    left, right = orbits[0][0], orbits[-1][0]
    bottom, top = min(positions), max(positions)
    return [
        ((drive - left) / ((right - left) or 1), (position - bottom) / ((top - bottom) or 1))
        for drive, samples in orbits
        for position in samples
    ]


def _text_row(counts: list[int], totals: list[int]) -> str:
    shares = (count / total for count, total in zip(counts, totals, strict=True))
    return "".join(_shade(share) for share in shares).rstrip()


def _shade(share: float) -> str:
    return next(character for least, character in _SHADES if share >= least)
