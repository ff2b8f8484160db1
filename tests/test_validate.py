"""Each check: the values that it accepts and refuses, and its messages."""

from __future__ import annotations

import copy
import os
import pickle

import pytest

from parsl import validate
from parsl.errors import ConfigurationError
from parsl.utils import RepresentationMixin
from parsl.validate import ParameterError, ParameterTypeError, ParameterValueError


class Executor:
    """The object under construction."""


class Whole:
    """Another library's integer."""

    def __index__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "Whole()"


def test_the_error_names_class_parameter_value_and_allowed_values():
    with pytest.raises(ParameterValueError) as caught:
        validate.number(Executor(), "cores_per_worker", -1, above=0)
    assert str(caught.value) == "Executor: cores_per_worker is -1 (int); expected a number > 0."


@pytest.mark.parametrize("owner", [Executor, Executor(), "Executor"])
def test_owner_may_be_object_class_or_name(owner):
    with pytest.raises(ParameterTypeError, match=r"^Executor: debug is 1 \(int\); expected True or False\.$"):
        validate.boolean(owner, "debug", 1)


def test_errors_are_configuration_errors_and_builtin_errors():
    assert issubclass(ParameterError, ConfigurationError)
    assert issubclass(ParameterTypeError, TypeError)
    assert issubclass(ParameterValueError, ValueError)


def test_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(ParameterValueError("Config: retries is -1 (int)")))
    assert (type(error), str(error)) == (ParameterValueError, "Config: retries is -1 (int)")


def test_long_values_are_shortened_in_the_message():
    with pytest.raises(ParameterTypeError) as caught:
        validate.integer("Config", "retries", "x" * 10_000)
    assert len(str(caught.value)) < 200


def test_a_value_that_cannot_be_shown_is_still_refused_properly():
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    with pytest.raises(ParameterTypeError, match="repr raises RuntimeError"):
        validate.integer("Config", "retries", Bad())


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [(3, {}, 3), (0, {"low": 0}, 0), (5, {"high": 5}, 5), (Whole(), {}, 7), (None, {"optional": True}, None)],
)
def test_integer_accepts(value, bounds, expected):
    assert validate.integer("Config", "retries", value, **bounds) == expected


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [1]])
def test_integer_refuses_types(value):
    with pytest.raises(ParameterTypeError, match="expected an integer"):
        validate.integer("Config", "retries", value)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"low": 5}, ">= 5"),
        ({"high": 3}, "<= 3"),
        ({"low": 5, "high": 9}, "an integer from 5 to 9"),
        ({"low": 5, "optional": True}, ">= 5, or None"),
    ],
)
def test_integer_refuses_values(bounds, words):
    with pytest.raises(ParameterValueError, match=words):
        validate.integer("Config", "retries", 4, **bounds)


@pytest.mark.parametrize("value", [0, 0.5, Whole()])
def test_number_accepts(value):
    assert validate.number("Config", "max_idletime", value) in (0, 0.5, 7)


def test_number_keeps_the_kind_of_number():
    assert isinstance(validate.number("Config", "strategy_period", 5), int)


@pytest.mark.parametrize("value", [True, "1", None, 1j])
def test_number_refuses_types(value):
    with pytest.raises(ParameterTypeError):
        validate.number("Config", "max_idletime", value)


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (0, {"above": 0}),
        (-1, {"low": 0}),
        (2, {"high": 1}),
        (float("nan"), {}),
        (float("nan"), {"finite": False}),
        (float("inf"), {}),
        (float("-inf"), {}),
    ],
)
def test_number_refuses_values(value, bounds):
    with pytest.raises(ParameterValueError):
        validate.number("Config", "max_idletime", value, **bounds)


def test_number_may_be_infinite_where_that_means_something():
    assert validate.number("Executor", "max_workers", float("inf"), finite=False) == float("inf")


def test_text():
    assert validate.text("Config", "run_dir", "runinfo") == "runinfo"
    assert validate.text("Config", "run_dir", None, optional=True) is None
    assert validate.text("Provider", "worker_init", "a\nb") == "a\nb"


@pytest.mark.parametrize(
    ("value", "rules", "error"),
    [
        (b"x", {}, ParameterTypeError),
        (None, {}, ParameterTypeError),
        ("", {"allow_empty": False}, ParameterValueError),
        ("a\nb", {"one_line": True}, ParameterValueError),
        ("a\rb", {"one_line": True}, ParameterValueError),
        ("a\0b", {}, ParameterValueError),
    ],
)
def test_text_refuses(value, rules, error):
    with pytest.raises(error):
        validate.text("Config", "run_dir", value, **rules)


def test_choice():
    assert validate.choice("Config", "exit_mode", "wait", ("cleanup", "wait")) == "wait"
    assert validate.choice("Config", "usage_tracking", 1, (0, 1)) == 1
    with pytest.raises(ParameterValueError, match="expected one of 'cleanup', 'wait'"):
        validate.choice("Config", "exit_mode", "wiat", ("cleanup", "wait"))
    with pytest.raises(ParameterTypeError):
        validate.choice("Config", "usage_tracking", True, (0, 1))


def test_callable():
    assert validate.callable_("Config", "std_autopath", len) is len
    assert validate.callable_("Config", "std_autopath", None, optional=True) is None
    with pytest.raises(ParameterTypeError, match="something callable, or None"):
        validate.callable_("Config", "std_autopath", 3, optional=True)


def test_instance():
    owner = Executor()
    assert validate.instance("Config", "executor", owner, Executor) is owner
    with pytest.raises(ParameterTypeError, match="expected an Executor or a str, or None"):
        validate.instance("Config", "executor", 3, (Executor, str), optional=True)


def test_instance_reports_a_class_in_place_of_an_object():
    with pytest.raises(ParameterTypeError, match="a class was given: call it"):
        validate.instance("Config", "executor", Executor, Executor)


def test_instance_does_not_take_true_for_an_integer():
    with pytest.raises(ParameterTypeError):
        validate.instance("Config", "retries", True, int)


def test_list_of():
    assert validate.list_of("Config", "labels", ("a", "b"), str) == ["a", "b"]
    assert validate.list_of("Config", "labels", (name for name in "ab"), str) == ["a", "b"]
    assert validate.list_of("Config", "labels", None, str, optional=True) is None


@pytest.mark.parametrize("value", ["abc", b"abc", {"a": 1}, 3, None])
def test_list_of_refuses_other_objects(value):
    with pytest.raises(ParameterTypeError, match="expected a list of str"):
        validate.list_of("Config", "labels", value, str)


def test_list_of_names_the_item_that_is_wrong():
    with pytest.raises(ParameterTypeError, match=r"labels\[1\] is 3 \(int\); expected a str"):
        validate.list_of("Config", "labels", ["a", 3], str)


def test_list_of_may_require_items_and_check_them():
    with pytest.raises(ParameterValueError, match="non-empty list"):
        validate.list_of("Config", "labels", [], str, allow_empty=False)
    with pytest.raises(ParameterValueError, match=r"ports\[0\]"):
        validate.list_of("Config", "ports", [0], int, check=validate.port)


def test_port():
    assert validate.port("Executor", "worker_port", 54000) == 54000
    for wrong in (0, 65536):
        with pytest.raises(ParameterValueError, match="from 1 to 65535"):
            validate.port("Executor", "worker_port", wrong)


def test_port_range():
    assert validate.port_range("Executor", "worker_port_range", [54000, 55000]) == (54000, 55000)
    assert validate.port_range("Executor", "worker_port_range", None, optional=True) is None


@pytest.mark.parametrize("value", [(2, 1), (5, 5), (0, 10), (1, 70000), (1,), (1, 2, 3)])
def test_port_range_refuses_values(value):
    with pytest.raises(ParameterValueError, match="first < end"):
        validate.port_range("Executor", "worker_port_range", value)


@pytest.mark.parametrize("value", [3, "54000-55000", None, ("1", "2"), (1.0, 2.0)])
def test_port_range_refuses_types(value):
    with pytest.raises(ParameterTypeError):
        validate.port_range("Executor", "worker_port_range", value)


def test_paths_are_not_strings():
    with pytest.raises(ParameterTypeError):
        validate.text("Config", "run_dir", os.path)


class Part(RepresentationMixin):
    """Declares what its subclasses share."""

    label = validate.Text(allow_empty=False)
    size = validate.Integer(low=1, optional=True)

    def __init__(self, label: object = "x", size: object = None) -> None:
        validate.assign(self, locals())


def fits_size(part: Part, name: str, value: object, word: str) -> str:
    return f"{name}={value}, {word} {part.size}"


class Shaped(Part):
    """Adds a parameter with a check of its own, and has one that is not declared."""

    shape = validate.Custom(fits_size, word="of size")

    def __init__(
        self, label: object = "x", size: object = 1, shape: object = "round", other: int = 0
    ) -> None:
        validate.assign(self, locals())


def test_declared_parameters_become_attributes():
    part = Shaped("a", Whole(), "square", other=3)
    assert vars(part) == {"label": "a", "size": 7, "shape": "shape=square, of size 7"}


def test_declared_parameters_are_checked_in_the_order_of_the_signature():
    with pytest.raises(ParameterValueError) as caught:
        Shaped("", 0)
    assert str(caught.value) == "Shaped: label is '' (str); expected a non-empty string."
    with pytest.raises(ParameterValueError) as caught:
        Shaped("a", 0)
    assert str(caught.value) == "Shaped: size is 0 (int); expected an integer >= 1, or None."


def test_declared_parameters_are_plain_attributes_afterwards():
    part = Part("a", 1)
    part.size = 0
    assert repr(part) == "Part(label='a', size=0)"
    assert vars(pickle.loads(pickle.dumps(part))) == vars(copy.copy(part)) == {"label": "a", "size": 0}


def test_a_declared_parameter_has_no_value_before_it_is_checked():
    part = Part.__new__(Part)
    assert not hasattr(part, "size")
    assert repr(part) == "Part(label=<unrecorded>, size=<unrecorded>)"


def test_a_subclass_may_turn_a_declared_parameter_into_a_property():
    class Doubling(Part):
        @property
        def size(self) -> int:
            return self._size * 2

        @size.setter
        def size(self, value: int) -> None:
            self._size = value

    assert Doubling(size=4).size == 8
    with pytest.raises(ParameterValueError, match="Doubling: size is 0"):
        Doubling(size=0)


@pytest.mark.parametrize(
    ("declare", "good", "bad"),
    [
        (validate.Boolean(), True, 1),
        (validate.Choice(("a", None)), None, "b"),
        (validate.Function(), len, 1),
        (validate.Instance(Part), Part(), 1),
        (validate.ListOf(str), ["a"], "a"),
        (validate.Number(above=0), 0.5, 0),
        (validate.Port(), 80, 0),
        (validate.PortRange(), (1, 2), (2, 1)),
    ],
)
def test_each_declaration_checks(declare, good, bad):
    class Owner:
        value = declare

        def __init__(self, value: object) -> None:
            validate.assign(self, locals())

    assert Owner(good).value == good
    with pytest.raises(ParameterError, match=r"^Owner: value is "):
        Owner(bad)
