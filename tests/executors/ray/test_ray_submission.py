"""Submitting with options that Ray has processed once, with functions that imitate ``ray.remote``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from parsl.executors.ray.submission import Submission


def run(call: bytes) -> bytes:
    return call


def remote_of(log: list[str], has_hook: bool = True) -> Any:
    """Return what imitates ``ray.remote(**options)``: it appends what is done to a log."""

    def decorate(function: Any) -> Any:
        decorator = getattr(function, "__ray_invocation_decorator__", None) if has_hook else None

        def submit(args: Any, kwargs: Any) -> str:
            log.append("submit")
            return f"reference {args[0]}"

        def remote(*args: Any) -> str:
            log.append("check options")
            return (submit if decorator is None else decorator(submit))(args, {})  # type: ignore[no-any-return]

        return SimpleNamespace(remote=remote)

    return decorate


def test_options_are_processed_once() -> None:
    log: list[str] = []
    submission = Submission(run, remote_of(log))
    assert [submission(number) for number in range(3)] == [f"reference {number}" for number in range(3)]
    assert log == ["check options", "submit", "submit", "submit"]
    assert vars(run) == {}


def test_a_ray_without_the_hook_processes_them_each_time() -> None:
    log: list[str] = []
    submission = Submission(run, remote_of(log, has_hook=False))
    assert [submission(number) for number in range(2)] == ["reference 0", "reference 1"]
    assert log == ["check options", "submit"] * 2
