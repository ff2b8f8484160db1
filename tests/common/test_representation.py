"""The repr of configuration objects is their constructor call."""

from __future__ import annotations

import pytest

from parsl.common.representation import RepresentationMixin, rounded_s


class Launcher(RepresentationMixin):
    def __init__(self, prepend, debug=True, *args, **kwargs):
        self.prepend = prepend
        self.debug = debug


class Provider(RepresentationMixin):
    def __init__(self, *, launcher=None, worker_init="", nodes_per_block=1):
        self.launcher = launcher
        self.worker_init = worker_init
        self.nodes_per_block = nodes_per_block


def test_short_repr_is_one_line():
    assert repr(Launcher("time")) == "Launcher('time', debug=True)"


def test_repr_shows_current_values():
    launcher = Launcher("time")
    launcher.debug = False
    assert repr(launcher) == "Launcher('time', debug=False)"


def test_long_repr_has_a_line_for_each_parameter_and_indents_nested_ones():
    provider = Provider(launcher=Launcher("x" * 80), worker_init="module load frameworks")
    assert repr(provider).splitlines() == [
        "Provider(",
        "    launcher=Launcher(",
        f"        '{'x' * 80}',",
        "        debug=True",
        "    ),",
        "    worker_init='module load frameworks',",
        "    nodes_per_block=1",
        ")",
    ]


def test_repr_of_an_unfinished_object_marks_missing_values():
    launcher = Launcher.__new__(Launcher)
    launcher.debug = True
    assert repr(launcher) == "Launcher(<unrecorded>, debug=True)"


def test_repr_survives_a_value_that_cannot_be_shown():
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert "repr raises RuntimeError" in repr(Launcher(Bad()))


@pytest.mark.parametrize(
    ("duration_s", "shown"),
    [
        (3.99999, "4 s"),
        (0.25, "0.25 s"),
        (12.345, "12.3 s"),
        (99.96, "100 s"),
        (7199.6, "7200 s"),
        (0.0, "0 s"),
    ],
)
def test_measured_durations_are_rounded(duration_s, shown):
    assert rounded_s(duration_s) == shown
