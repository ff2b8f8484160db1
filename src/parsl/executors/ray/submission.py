"""Submitting calls to Ray with options that Ray has checked once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: A function with this attribute gets the function that submits a call, once Ray has processed the options.
_HOOK = "__ray_invocation_decorator__"


class Submission:
    """Submits calls of one remote function with the same options.

    For each call, ``remote()`` checks the options and prepares the resources anew, which takes as long as
    the submission itself. The function that Ray hands to decorators of calls has done that.

    Args:
        function: What to run on workers.
        remote: The decorator that ``ray.remote(**options)`` returns.
    """

    def __init__(self, function: Callable[..., Any], remote: Callable[[Any], Any]) -> None:
        self._invoke: Callable[[tuple[Any, ...], dict[str, Any]], Any] | None = None
        setattr(function, _HOOK, self._take)
        try:
            self._remote = remote(function)
        finally:
            delattr(function, _HOOK)

    def _take(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        self._invoke = invoke
        return invoke

    def __call__(self, *arguments: Any) -> Any:
        """Submit a call. Returns what ``remote()`` does."""
        if self._invoke is None:
            return self._remote.remote(*arguments)
        return self._invoke(arguments, {})
