"""What few tasks have, as the event log has it: files and other arguments as text, labels, retries, joins."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord


def numbers_of(futures: Sequence[Any]) -> tuple[int, ...]:
    """Return the numbers of the tasks among futures."""
    try:
        return tuple([future.tid for future in futures])
    except AttributeError:
        return tuple([future.tid for future in futures if hasattr(future, "tid")])


def extra_of(record: TaskRecord) -> dict[str, Any]:
    """Return the fields of a `TaskExtra` that are not at their default."""
    joins = record.joins
    futures = () if joins is None else joins if isinstance(joins, list) else (joins,)
    values = {
        "label": str(record.label or ""),
        "stdout": _path_text(record.stdout),
        "stderr": _path_text(record.stderr),
        "inputs": _files_text(record.kwargs.get("inputs")),
        "outputs": _files_text(record.outputs),
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


def _files_text(files: Any) -> str:
    return str([_file_text(file) for file in files]) if files else ""


def _file_text(file: Any) -> str:
    """Return the path of a file. A remote one has only a URL, and other objects are the user's.

    The attributes of an AppFuture are new tasks.
    """
    from concurrent.futures import Future

    from parsl.vocabulary.data_future import DataFuture

    if isinstance(file, Future) and not isinstance(file, DataFuture):
        return f"<{type(file).__name__}>"
    try:
        return str(getattr(file, "filepath", file))
    except Exception:
        from parsl.data_provider.errors import without_password

        file = getattr(file, "file_obj", file)
        url = getattr(file, "url", None)
        return without_password(url) if isinstance(url, str) else f"<{type(file).__name__}>"
