"""Putting a ready configuration together from its executor and what the user wants of Config."""

from __future__ import annotations

from typing import Any

from parsl.common.parameter_names import named_parameters, parameter_names, refuse_unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from parsl.config import Config
    from parsl.executors.base import ParslExecutor


def compose_config(
    function: Callable[..., Config], executor: ParslExecutor, options: dict[str, Any], **defaults: Any
) -> Config:
    """Return the configuration.

    Args:
        function: The ready configuration, whose further keyword arguments the options are.
        executor: Its only executor.
        options: Options of Config, as the user has given them.
        defaults: Those of Config that differ here.

    Raises:
        UnknownParameterError: Neither the function nor Config has such a parameter.
        ParameterError: One is wrong.
    """
    from parsl.config import Config

    known = (named_parameters(function) | parameter_names(Config.__init__)) - {"executors"}
    if not known.issuperset(options):
        refuse_unknown(function.__name__, options, known)
    return Config(**{"executors": [executor], **defaults, **options})
