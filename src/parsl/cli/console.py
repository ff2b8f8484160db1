"""Where commands print: a terminal with its width and colours, or a pipe with neither."""

from __future__ import annotations

import json
import sys
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console

#: Lines of a pipe are not cut.
_PIPE_WIDTH = 200


def console() -> Console:
    """Return a console on stdout. It has colours on a terminal only, and none if NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def print_json(data: Any) -> None:
    """Print data for programs."""
    print(json.dumps(data, indent=2))
