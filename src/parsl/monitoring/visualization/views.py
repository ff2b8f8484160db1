"""Upstream's pages of Flask. Importing this module is an error that names what to use instead."""

raise ImportError(
    f"{__name__} does not exist here: pages are not made with Flask. `parsl dashboard` and `parsl-visualize` "
    "show them; parsl.monitoring.queries.pandas has their data"
)
