"""What few tasks have, as the event log has it: files and other arguments as text, labels, retries, joins."""

from __future__ import annotations

from parsl.dataflow.futures import unopened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

#: How much of an input that is no file is shown.
_MAX_ITEMS = 20
_MAX_CHARS = 200


def numbers_of(futures: Sequence[Any]) -> tuple[int, ...]:
    """Return the numbers of the tasks among futures."""
    numbers = [getattr(future, "tid", None) for future in futures]
    return tuple([number for number in numbers if type(number) is int])


def extra_of(record: TaskRecord) -> dict[str, Any]:
    """Return the fields of a `TaskExtra` that are not at their default."""
    joins = record.joins
    futures = () if joins is None else joins if isinstance(joins, list) else (joins,)
    values = {
        "label": str(record.label or ""),
        "stdout": _path_text(record.stdout),
        "stderr": _path_text(record.stderr),
        "inputs": _inputs_text(record.kwargs.get("inputs")),
        "outputs": _inputs_text(record.outputs or record.kwargs.get("outputs")),
        "memoize": bool(record.memoize),
        "hashsum": str(record.hashsum or ""),
        "fail_count": record.fail_count,
        "fail_cost": float(record.fail_cost),
        "joins": numbers_of(futures),
    }
    return {name: value for name, value in values.items() if value}


def _path_text(stream: Any) -> str:
    path = stream[0] if isinstance(stream, tuple) and stream else stream
    return "" if path is None else _file_text(path)


def _inputs_text(values: Any) -> str:
    """Return files and other objects as text; nothing for an app without such an argument."""
    if values is None:
        return ""
    if isinstance(values, tuple) and not values:
        return "()"
    return f"[{', '.join(map(_value_text, values))}]"


def _value_text(value: Any) -> str:
    """Return the path of a file in quotes; other objects as `repr` shows them, and futures as their results.

    The attributes of an AppFuture are new tasks.
    """
    from concurrent.futures import Future

    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

    kind = type(value)  # a lazy object fetches its target if isinstance looks at it
    if issubclass(kind, (File, DataFuture)):
        return repr(_file_text(value))
    if not issubclass(kind, Future):
        return _short_repr(value)
    if value.done() and not value.cancelled() and value.exception() is None:
        return _short_repr(unopened(value))
    return f"<{kind.__name__}>"


def _short_repr(value: Any) -> str:
    from reprlib import Repr

    short = Repr()
    short.maxlevel = 3
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = short.maxfrozenset = _MAX_ITEMS
    short.maxstring = short.maxlong = short.maxother = _MAX_CHARS
    return short.repr(value)


def _file_text(file: Any) -> str:
    """Return the path of a file, or the URL of a remote one; a file of the user's own kind as text."""
    try:
        return str(getattr(file, "filepath", file))
    except Exception:
        from parsl.data_provider.errors import without_password

        file = getattr(file, "file_obj", file)
        url = getattr(file, "url", None)
        return without_password(url) if isinstance(url, str) else f"<{type(file).__name__}>"
