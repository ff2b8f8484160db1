"""A driven, damped oscillator between two wells (Duffing's), integrated step by step."""

from __future__ import annotations

from math import cos, pi

DAMPING = 0.3
DRIVE_FREQUENCY = 1.2
STEPS_PER_PERIOD = 100
SETTLING_PERIODS = 100
SAMPLED_PERIODS = 60
#: Positions nearer than this are the same.
RESOLUTION = 0.01
MAX_PERIOD = 12


def sample_orbit(drive: float) -> list[float]:
    """Follow the oscillator until it has settled, then look at it once in each period of the drive.

    Args:
        drive: Strength of the driving force.

    Returns:
        The position at the same moment of successive periods: one value again and again if it moves
        with the drive, two if it needs two periods to repeat, and never the same if it is chaotic.
    """
    position, velocity = 1.0, 0.0
    samples = []
    for period in range(SETTLING_PERIODS + SAMPLED_PERIODS):
        position, velocity = _advance_one_period(position, velocity, drive)
        if period >= SETTLING_PERIODS:
            samples.append(position)
    return samples


def period_of(samples: list[float]) -> int | None:
    """Return after how many periods of the drive the motion repeats; None if it does not."""
    for period in range(1, MAX_PERIOD + 1):
        pairs = zip(samples, samples[period:], strict=False)
        if all(abs(now - later) < RESOLUTION for now, later in pairs):
            return period
    return None


def _advance_one_period(x: float, v: float, drive: float) -> tuple[float, float]:
    """Integrate by the classical Runge-Kutta method; the drive is at its maximum at the start."""
    period = 2 * pi / DRIVE_FREQUENCY
    h = period / STEPS_PER_PERIOD
    for step in range(STEPS_PER_PERIOD):
        t = step * h
        start = drive * cos(DRIVE_FREQUENCY * t)
        middle = drive * cos(DRIVE_FREQUENCY * (t + h / 2))
        end = drive * cos(DRIVE_FREQUENCY * (t + h))
        a1 = _acceleration(x, v, start)
        x2, v2 = x + h / 2 * v, v + h / 2 * a1
        a2 = _acceleration(x2, v2, middle)
        x3, v3 = x + h / 2 * v2, v + h / 2 * a2
        a3 = _acceleration(x3, v3, middle)
        x4, v4 = x + h * v3, v + h * a3
        a4 = _acceleration(x4, v4, end)
        x += h / 6 * (v + 2 * v2 + 2 * v3 + v4)
        v += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
    return x, v


def _acceleration(x: float, v: float, force: float) -> float:
    return x - x**3 - DAMPING * v + force
