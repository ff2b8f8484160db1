"""Makes survey.csv.gz, the data of this example: the light of stars, night after night.

    python make_survey.py [FILE]

The same file comes out each time. Columns: star, time in days, magnitude (smaller is brighter).
"""

import gzip
import math
import random
import sys
from pathlib import Path

STARS = 36
NIGHTS = 60
SEED = 1784  # Goodricke explains the light of Algol, and finds that of delta Cephei

#: What the detector writes where a star was too bright, or behind a cloud.
FAULTS = ("99.999", "nan")


def sine(phase):
    return math.sin(2 * math.pi * phase)


def saw_tooth(phase):
    """A quick rise and a slow decline, as of RR Lyrae and Cepheids; magnitudes fall as the star brightens."""
    rise = 0.18
    return 1 - 2 * phase / rise if phase < rise else -1 + 2 * (phase - rise) / (1 - rise)


def still(phase):
    return 0.0


def observations(number, chance):
    """Yield the time and the magnitude of one star's observations, the latter as the detector writes it."""
    shape = (saw_tooth, sine, saw_tooth, still)[number % 4]
    period_d, amplitude = chance.uniform(0.25, 4.0), chance.uniform(0.2, 0.6)
    mean, phase = chance.uniform(10, 14), chance.random()
    for night in range(NIGHTS):
        for _ in range(2):
            time_d = night + chance.uniform(0.0, 0.4)
            light = mean + amplitude * shape((time_d / period_d + phase) % 1) + chance.gauss(0, 0.02)
            yield time_d, chance.choice(FAULTS) if chance.random() < 0.04 else f"{light:.3f}"


def main():
    chance = random.Random(SEED)
    rows = [
        f"V{number:03d},{time_d:.5f},{magnitude}\n"
        for number in range(STARS)
        for time_d, magnitude in observations(number, chance)
    ]
    chance.shuffle(rows)
    path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("survey.csv.gz"))
    with open(path, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write("".join(rows).encode())
    print(f"{len(rows)} observations of {STARS} stars: {path}")


if __name__ == "__main__":
    main()
