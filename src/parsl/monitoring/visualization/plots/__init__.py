"""Upstream's figures of Plotly. Importing this package is an error that names what to use instead."""

raise ImportError(
    f"{__name__} does not exist here: figures are not made with Plotly. `parsl dashboard` shows them; "
    "parsl.monitoring.figures draws a run with matplotlib"
)
