"""The picture of the survey: all stars that vary, and the folded light of some. Workers import this."""

from __future__ import annotations

from light_curve import read

COLOURS = {"saw-tooth": "#b5442e", "sine": "#2c6e91"}
#: How many light curves are shown.
CURVES = 4


def draw(found: list[dict], files: dict[str, str], path: str) -> None:
    """Write a PNG.

    Args:
        found: One entry for each star, with star, period_d, range_mag and kind.
        files: Where the cleaned observations of each star are.
        path: The file to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(9, 4.2), dpi=110, layout="constrained")
    grid = figure.add_gridspec(CURVES, 2, width_ratios=(1.1, 1))
    overview = figure.add_subplot(grid[:, 0])
    for kind, colour in COLOURS.items():
        stars = [star for star in found if star["kind"] == kind]
        overview.scatter(
            [star["period_d"] for star in stars],
            [star["range_mag"] for star in stars],
            s=26,
            color=colour,
            label=f"{kind}: {len(stars)}",
        )
    overview.set(xlabel="period (days)", ylabel="range (magnitudes)", title="Variable stars of the survey")
    overview.margins(y=0.12)
    overview.legend(frameon=False, loc="upper right", ncols=2)
    varying = sorted((star for star in found if star["kind"] in COLOURS), key=lambda star: star["period_d"])
    for row, star in enumerate(varying[:: max(1, len(varying) // CURVES)][:CURVES]):
        _draw_curve(figure.add_subplot(grid[row, 1]), star, read(files[star["star"]]))
    figure.savefig(path)
    pyplot.close(figure)


def _draw_curve(axes, star: dict, points: list[tuple[float, float]]) -> None:
    phases = [time / star["period_d"] % 1.0 for time, _ in points]
    lights = [light for _, light in points]
    colour = COLOURS[star["kind"]]
    axes.plot([*phases, *(phase + 1 for phase in phases)], lights * 2, ".", markersize=2.5, color=colour)
    axes.invert_yaxis()  # brighter is up
    axes.set_xlim(0, 2)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_ylabel(
        f"{star['star']}\n{star['period_d']:.2f} d", rotation=0, ha="right", va="center", fontsize=8
    )
