"""The hash of a call: equal for calls that have the same outcome."""

from __future__ import annotations

from hashlib import md5

from parsl.dataflow.memo.function_identity import identity_by_code
from parsl.dataflow.memo.ids import (
    as_bytes,
    id_for_memo,
    id_for_memo_dict,
    id_for_memo_list,
    is_by_name,
    is_plain,
    own_callables,
)
from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from parsl.dataflow.special_arguments import SpecialArguments
    from parsl.dataflow.taskrecord import TaskRecord

#: These arguments determine how and where a task runs, not its result.
_MANNERS = frozenset({"walltime", "label", "parsl_resource_specification"})


def make_hash(task: TaskRecord) -> str:
    """Return the hash of a call (32 hexadecimal digits): of its function, arguments, and outputs' names.

    The task's arguments contain results instead of futures. An argument of a type that :func:`id_for_memo`
    does not know raises UnknownMemoType.
    """
    if not is_by_name() and (quick := hash_plain_call(task)) is not None:
        return quick
    # Some systems forbid MD5 unless it is declared to protect no secret.
    return md5(b"".join(_parts(task)), usedforsecurity=False).hexdigest()


def hash_plain_call(task: TaskRecord) -> str | None:
    """Return the hash of a call quickly, if its arguments are numbers and strings, and its function counts by
    its code; None for any other call.
    """
    func: Any = task.func
    args, kwargs = task.args, task.kwargs
    if type(func) not in own_callables or task.ignore_for_cache or not is_plain(args):
        return None
    if kwargs:
        if task.special is not None or not is_plain(kwargs.values()):
            return None
        args = (*args, sorted(kwargs.items()))
    call = identity_by_code(func).begin.copy()
    call.update(repr(args if type(args) is tuple else (*args,)).encode())
    return call.hexdigest()


def _parts(task: TaskRecord) -> list[bytes]:
    """Return what is hashed of a task, in the order and form of upstream."""
    args: Sequence[Any] = task.args
    kwargs = task.kwargs
    parts = []
    if task.special is not None:
        # Upstream counts them as a part of the call if the function has parameters for them.
        dropped = frozenset[str]() if is_by_name() else _MANNERS
        kwargs = {name: value for name, value in kwargs.items() if name not in dropped}
        _name_streams(kwargs, task.special)
    if task.ignore_for_cache:
        args, kwargs = _without_ignored(task, args, kwargs)
    if "outputs" in kwargs:
        kwargs = dict(kwargs)
        outputs = kwargs.pop("outputs")
        parts.append(id_for_memo_list(list(outputs or ()), output_ref=True))
    elif task.special is not None and task.special.outputs:
        parts.append(id_for_memo_list(list(task.special.outputs), output_ref=True))
    parts += (id_for_memo_dict(kwargs), as_bytes(id_for_memo(task.func)), id_for_memo_list(list(args)))
    return parts


def _name_streams(kwargs: dict[str, Any], special: SpecialArguments) -> None:
    """Leave out streams whose path the kernel has chosen, and replace files by their names."""
    for name, stream in special.streams.items():
        if name not in kwargs:
            continue
        if name in special.chosen_streams:
            del kwargs[name]
        elif isinstance(stream, File):
            kwargs[name] = stream.url
        elif isinstance(stream, tuple) and isinstance(stream[0], File):
            kwargs[name] = (stream[0].url, *stream[1:])


def _without_ignored(
    task: TaskRecord, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """Leave out the arguments of ``ignore_for_cache``, given by position or by keyword."""
    ignored = frozenset(task.ignore_for_cache or ())
    kwargs = {name: value for name, value in kwargs.items() if name not in ignored}
    code = getattr(getattr(task.func, "func", task.func), "__code__", None)
    if code is None or ignored.isdisjoint(code.co_varnames):
        return args, kwargs
    names = code.co_varnames[: code.co_argcount]
    keeps_rest = ignored.isdisjoint(code.co_varnames[code.co_argcount + code.co_kwonlyargcount :][:1])
    kept = [arg for arg, name in zip(args, names, strict=False) if name not in ignored]
    return [*kept, *(args[len(names) :] if keeps_rest else ())], kwargs
