"""Errors of apps: their texts, their attributes, and their transfer from a worker."""

from __future__ import annotations

import pickle
import traceback

import pytest

from parsl.app.errors import (
    AppBadFormatting,
    AppException,
    AppTimeout,
    BadStdStreamFile,
    BashAppNoReturn,
    BashExitFailure,
    MissingOutputs,
    RemoteExceptionWrapper,
    wrap_error,
)


class OtherParameters(Exception):
    """Passes other arguments than its own parameters on, as many exceptions do."""

    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")
        self.code = code


class Unpicklable(Exception):
    def __reduce__(self):
        raise RuntimeError("not me")


def _explode():
    raise RuntimeError("boom")


class Ununpicklable(Exception):
    def __reduce__(self):
        return _explode, ()


class NotEvenText(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    def __reduce__(self):
        raise RuntimeError("no pickle")


def _sent(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Raise ``error`` as in a worker, and receive it as in a driver."""

    @wrap_error
    def task():
        if cause is not None:
            raise error from cause
        raise error

    wrapper = pickle.loads(pickle.dumps(task()))
    assert isinstance(wrapper, RemoteExceptionWrapper)
    return wrapper.get_exception()


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (AppTimeout("walltime exceeded"), {}),
        (AppBadFormatting("x"), {}),
        (BashExitFailure("hello", 3), {"app_name": "hello", "exitcode": 3}),
        (BashAppNoReturn("it returned None"), {"reason": "it returned None"}),
        (BadStdStreamFile("out: denied"), {"reason": "out: denied"}),
        (MissingOutputs("after the app", ["a.txt"]), {"reason": "after the app", "outputs": ["a.txt"]}),
    ],
)
@pytest.mark.parametrize("travel", [lambda error: pickle.loads(pickle.dumps(error)), _sent])
def test_errors_arrive_unchanged(error, attributes, travel):
    arrived = travel(error)
    assert type(arrived) is type(error)
    assert (str(arrived), arrived.args) == (str(error), error.args)
    assert {name: getattr(arrived, name) for name in attributes} == attributes


@pytest.mark.parametrize(
    ("exitcode", "words"),
    [
        (3, "bash_app hello failed with unix exit code 3"),
        (126, "exit code 126: the command was found but cannot be executed"),
        (127, "exit code 127: a command was not found"),
        (137, r"exit code 137: ended by signal 9 \(SIGKILL\)"),
        (-15, r"exit code -15: ended by signal 15 \(SIGTERM\)"),
        (255, r"exit code 255\. To see"),
    ],
)
def test_exit_codes_have_explanations(exitcode, words):
    with pytest.raises(AppException, match=words):
        raise BashExitFailure("hello", exitcode)


def test_missing_outputs_names_the_files():
    assert str(MissingOutputs("After app hello", ["a.txt", "b.txt"])) == (
        "Missing outputs: a.txt, b.txt. After app hello"
    )


def test_wrap_error_lets_results_through_and_keeps_the_name():
    @wrap_error
    def double(x: int) -> int:
        return 2 * x

    assert double(2) == 4
    assert double.__name__ == "double"


def test_reraise_raises_with_the_remote_traceback():
    @wrap_error
    def deep_in_the_task():
        raise ValueError("wrong")

    wrapper = pickle.loads(pickle.dumps(deep_in_the_task()))
    with pytest.raises(ValueError, match="wrong") as caught:
        wrapper.reraise()
    assert "deep_in_the_task" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_causes_are_preserved():
    arrived = _sent(ValueError("outer"), cause=KeyError("inner"))
    assert isinstance(arrived.__cause__, KeyError)
    assert arrived.__cause__.args == ("inner",)


def test_the_context_is_preserved():
    @wrap_error
    def task():
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")  # noqa: B904 - the context is what is tested

    arrived = pickle.loads(pickle.dumps(task())).get_exception()
    assert arrived.__cause__ is None
    assert isinstance(arrived.__context__, KeyError)
    assert not arrived.__suppress_context__


def test_an_exception_that_is_its_own_context_ends():
    error = ValueError("round")
    error.__context__ = other = KeyError("and round")
    other.__context__ = error
    assert isinstance(_sent(error).__context__, KeyError)


def test_attributes_and_notes_are_preserved():
    error = FileNotFoundError(2, "No such file", "input.dat")
    error.__notes__ = ["in task 7"]
    arrived = _sent(error)
    assert (arrived.errno, arrived.filename, arrived.__notes__) == (2, "input.dat", ["in task 7"])


def test_classes_that_pass_other_arguments_on_arrive_whole():
    arrived = _sent(OtherParameters(7, "bad"))
    assert type(arrived) is OtherParameters
    assert (arrived.code, str(arrived)) == (7, "7: bad")


def test_classes_defined_in_the_task_arrive():
    class Local(Exception):
        pass

    assert str(_sent(Local("x"))) == "x"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unpicklable("why"), "Unpicklable was raised, but could not be sent: RuntimeError: not me"),
        (Ununpicklable("why"), "unpickling it raised RuntimeError: boom"),
        (NotEvenText(), "its message cannot be shown: RuntimeError"),
    ],
)
def test_exceptions_that_cannot_be_pickled_are_described(error, words):
    arrived = _sent(error)
    assert type(arrived) is AppException
    assert words in str(arrived)
    assert "in task" in str(arrived)


def test_without_tblib_the_exception_arrives_without_its_traceback(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tblib", None)
    arrived = _sent(ValueError("x"))
    assert (type(arrived), arrived.__traceback__) == (ValueError, None)
