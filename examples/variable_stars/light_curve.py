"""What the light of one star shows: its period, range, and the shape of its curve. Workers import this."""

from __future__ import annotations

#: Periods from 0.2 to 5 days are looked for; the step is a tenth of what the length of the survey resolves.
MIN_PERIOD_D, MAX_PERIOD_D = 0.2, 5.0
STEPS_PER_RESOLUTION = 10
#: The statistic of a star that does not vary is near 1, that of a clean curve near 0.
STILL = 0.5
#: A curve that needs less of its period than this to become bright is a saw-tooth.
QUICK_RISE = 0.35
BINS = 12


def read(path: str) -> list[tuple[float, float]]:
    """Read the times (days) and magnitudes of one star."""
    with open(path) as file:
        return [(float(time), float(light)) for _, time, light in (line.split(",") for line in file)]


def roughness(points: list[tuple[float, float]], frequency: float) -> float:
    """How much neighbours differ when the curve is folded with a frequency, in 1/day.

    The statistic of Lafler and Kinman, 1965, Astrophysical Journal Supplement 11, 216: the sum of the squared
    steps from each point to the next in phase, over twice the sum of the squared deviations from the mean.
    """
    folded = [light for _, light in sorted((time * frequency % 1.0, light) for time, light in points)]
    mean = sum(folded) / len(folded)
    steps = sum((one - other) ** 2 for one, other in zip(folded, folded[1:] + folded[:1], strict=True))
    return steps / (2 * sum((light - mean) ** 2 for light in folded))


def frequencies(points: list[tuple[float, float]]) -> list[float]:
    """The frequencies to try, in 1/day."""
    times = [time for time, _ in points]
    step = 1 / ((max(times) - min(times)) * STEPS_PER_RESOLUTION)
    count = int((1 / MIN_PERIOD_D - 1 / MAX_PERIOD_D) / step)
    return [1 / MAX_PERIOD_D + number * step for number in range(count)]


def profile(points: list[tuple[float, float]], period_d: float) -> list[float]:
    """The mean magnitude in each twelfth of the period, the faintest first."""
    bins: list[list[float]] = [[] for _ in range(BINS)]
    for time, light in points:
        bins[int(time / period_d % 1.0 * BINS)].append(light)
    mean = sum(light for _, light in points) / len(points)
    means = [sum(each) / len(each) if each else mean for each in bins]
    faintest = means.index(max(means))
    return means[faintest:] + means[:faintest]


def describe(points: list[tuple[float, float]]) -> dict[str, object]:
    """Find a star's period, in days, its range, in magnitudes, and the kind of its curve."""
    best = min(frequencies(points), key=lambda frequency: roughness(points, frequency))
    curve = profile(points, 1 / best)
    if roughness(points, best) > STILL:
        kind = "still"
    else:
        kind = "saw-tooth" if curve.index(min(curve)) / BINS < QUICK_RISE else "sine"
    return {"period_d": round(1 / best, 4), "range_mag": round(max(curve) - min(curve), 3), "kind": kind}
