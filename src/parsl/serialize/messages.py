"""What travels between driver and worker inside the opaque payloads: calls, values and exceptions."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from parsl.serialize.errors import DeserializationError, SerializationError
from parsl.serialize.objects import Buffer, dumps, is_pickle, is_plain, loads

#: The arguments of a call without any.
NO_ARGUMENTS = pickle.dumps(((), {}), 5)
#: The result None.
NONE = pickle.dumps(None, 5)


def dump_arguments(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[bytes, list[Buffer]]:
    """Pickle the arguments of a call.

    Raises: SerializationError naming the argument that is to blame.
    """
    if not args and not kwargs:
        return NO_ARGUMENTS, []
    try:
        if is_plain(args) and is_plain(kwargs):
            return pickle.dumps((args, kwargs), 5), []
        return dumps((args, kwargs))
    except Exception as error:
        return _call_packed_by_others([args, kwargs], error) or _blame(function, args, kwargs, error)


def dump_call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[bytes, list[Buffer]]:
    """Pickle a call together with its function.

    Raises: SerializationError naming the function or the argument that is to blame.
    """
    try:
        return dumps((function, args, kwargs))
    except Exception as error:
        return _call_packed_by_others([function, args, kwargs], error) or _blame(
            function, args, kwargs, error
        )


def dump_value(value: object) -> tuple[bytes, list[Buffer]]:
    """Pickle a task's result.

    Raises: SerializationError naming the type.
    """
    if value is None:
        return NONE, []
    try:
        return dumps(value)
    except Exception as error:
        from parsl.serialize import facade

        try:
            return facade.pack_objects([value]), []
        except SerializationError as refusal:
            reason = refusal.reason
        raise SerializationError(f"The task's result of type {_type_name(value)} ({reason})") from error


def dump_exception(error: BaseException, facts: dict[str, Any] | None = None) -> bytes:
    """Pickle a task's exception with its traceback and causes; never fails.

    What cannot be pickled of it arrives in words.

    Args:
        error: The exception.
        facts: What else is known about the failure, by the names of the attributes of FailureFacts.
    """
    from parsl.failure_facts import facts_of
    from parsl.vocabulary.packed_errors import pack

    known = {**facts_of(error).as_dict(), **(facts or {})}
    return pickle.dumps((pack(error, error.__traceback__), known), 5)


def load_value(payload: Buffer, buffers: Sequence[Buffer] = ()) -> Any:
    """The value of a result.

    Raises: DeserializationError with the reason.
    """
    try:
        value = loads(payload, buffers)
        return value if is_pickle(payload) else value[0]
    except Exception as error:
        raise DeserializationError(
            f"the task's result cannot be unpickled here: {type(error).__name__}: {error}"
        ) from error


def load_exception(payload: Buffer) -> BaseException:
    """The exception of a task, with its remote traceback, its causes, and the facts; never raises."""
    from parsl.failure_facts import attach
    from parsl.vocabulary.packed_errors import unpack

    try:
        links, known = pickle.loads(payload)
        error = unpack(links)
        attach(error, **known)
        return error
    except Exception as error:
        return DeserializationError(
            f"the task's exception cannot be unpickled here: {type(error).__name__}: {error}"
        )


def _call_packed_by_others(objects: list[Any], error: Exception) -> tuple[bytes, list[Buffer]] | None:
    """What pickle cannot do, a serializer that the user has registered perhaps can, or dill."""
    from parsl.serialize import facade

    try:
        parts = [facade.serialize(obj, facade.LARGE_CALL) for obj in objects]
    except SerializationError:
        return None
    if any(map(facade.is_made_by_dill, parts)):
        from parsl.serialize.copies import tell_of_copies

        tell_of_copies(error)
    return facade.pack_buffers(parts), []


def _blame(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> NoReturn:
    """Raise the error that names what is to blame."""
    raise _find_culprit(function, args, kwargs, error) from error


def _find_culprit(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> SerializationError:
    name = getattr(function, "__name__", repr(function))
    named = [(f"Argument {i} of {name}", value) for i, value in enumerate(args)]
    named += [(f"Argument {key!r} of {name}", value) for key, value in kwargs.items()]
    for what, value in named:
        reason = _refusal_of(value)
        if reason:
            return SerializationError(f"{what}, of type {_type_name(value)} ({reason}),")
    reason = _refusal_of(function) or f"{type(error).__name__}: {error}"
    return SerializationError(f"The function {name} ({reason})")


def _refusal_of(value: object) -> str:
    """Why a value cannot be pickled by any means, if so."""
    from parsl.serialize import facade

    try:
        facade.serialize(value, facade.LARGE_CALL)
    except SerializationError as refusal:
        return refusal.reason
    return ""


def _type_name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
