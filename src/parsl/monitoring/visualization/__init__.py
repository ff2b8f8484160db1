"""Pages about runs, under the names that upstream's have: ``parsl dashboard`` shows them here.

``app`` starts it, ``models`` has the tables of a database, ``utils`` converts moments. What upstream draws
with Flask and Plotly (``views``, ``plots``) cannot be imported; the errors name what to use instead.
"""

from __future__ import annotations

from parsl.common import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
