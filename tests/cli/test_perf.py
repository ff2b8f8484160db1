"""``parsl perf``: the sizes of its batches, and its output."""

from __future__ import annotations

import json
import re
from itertools import islice

import pytest

from parsl.cli.main import main
from parsl.cli.perf import estimate, exponential

THREADS = """
from parsl import Config, ThreadPoolExecutor
config = Config(executors=[ThreadPoolExecutor()], initialize_logging=False)
"""
FUNCTION = THREADS.replace("config =", "def fresh_config(): return")


@pytest.fixture
def perf(tmp_path, monkeypatch, capsys):
    """Measures the configuration with this text. Returns: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(text, *options, name=""):
        (tmp_path / "my_config.py").write_text(text)
        code = main(["perf", "--config", f"my_config.py{name}", *options])
        return code, *capsys.readouterr()

    return run


def sizes(batches):
    return [size for size, _ in batches]


class TestBatches:
    def test_fit_into_the_requested_time(self):
        assert sizes(estimate(lambda size: 0.5 + size / 1000, target_s=10)) == [10, 196, 2816, 8492]

    def test_grow_a_hundredfold_at_most(self):
        assert sizes(estimate(lambda size: size / 1e6, target_s=1))[:3] == [10, 1000, 100_000]

    def test_become_smaller_if_necessary(self):
        assert sizes(estimate(lambda size: float(size), target_s=2)) == [10, 2]

    def test_have_at_least_one_task(self):
        assert sizes(estimate(lambda size: 60.0, target_s=1)) == [10, 1]

    @pytest.mark.parametrize(
        ("task_s", "target_s", "expected"), [(0.6, 1.0, [10, 1]), (0.4, 1.1, [10, 2]), (0.3, 0.5, [10, 1])]
    )
    def test_end_when_one_more_task_is_too_many(self, task_s, target_s, expected):
        batches = estimate(lambda size: task_s * size, target_s)
        assert sizes(islice(batches, 10)) == expected

    def test_may_double(self):
        assert sizes(exponential(lambda size: size / 10, target_s=1)) == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("text", [THREADS, FUNCTION])
def test_the_rate_of_each_batch_is_printed(perf, text):
    code, printed, _ = perf(text, "--iterate", "1,20", "--argsize", "1000")
    assert code == 0
    assert re.findall(r"^ *(\d+) tasks: .* tasks/s$", printed, re.MULTILINE) == ["1", "20"]
    assert re.search(r"tasks/s in the last batch, [\d,]+ in the best\n$", printed)


def test_the_rates_are_available_as_json(perf):
    code, printed, _ = perf(THREADS, "--iterate", "1,20", "--json")
    assert code == 0
    data = json.loads(printed)
    assert [batch["tasks"] for batch in data["batches"]] == [1, 20]
    rates = [batch["tasks_per_s"] for batch in data["batches"]]
    assert (data["last"], data["best"]) == (rates[-1], max(rates))


def test_a_failed_task_ends_the_measurement(perf):
    code, _, complaint = perf(THREADS, "--iterate", "1", "--resources", "{'cores': 1}")
    assert code == 1
    assert "a task has failed: InvalidResourceSpecification" in complaint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "it has no Config"),
        ("import no_such_module", "No module named 'no_such_module'"),
        (
            THREADS + "other = Config()",
            "one of several configurations: my_config.py:config, my_config.py:",
        ),
    ],
)
def test_without_a_single_configuration_the_error_has_the_reason(perf, text, words):
    code, printed, complaint = perf(text)
    assert (code, printed) == (2, "")
    assert words in complaint


def test_the_error_of_an_unloadable_configuration_has_the_reason(perf):
    code, printed, complaint = perf(THREADS.replace("()]", "()], run_dir='/dev/null/x'"))
    assert (code, printed) == (2, "")
    assert "run_dir is '/dev/null/x'" in complaint


@pytest.mark.parametrize(
    ("batches_before", "words"), [(0, ""), (1, " in the last batch, "), (2, " in the last batch, ")]
)
def test_ctrl_c_ends_the_measurement_with_the_rates_so_far(perf, monkeypatch, batches_before, words):
    def interrupted(measure, target_s):
        yield from [(1, 0.01)] * batches_before
        raise KeyboardInterrupt

    monkeypatch.setattr("parsl.cli.perf.estimate", interrupted)
    code, printed, complaint = perf(THREADS)
    assert (code, complaint) == (130, "\nparsl perf: interrupted\n")
    assert words in printed
    assert bool(printed) is bool(words)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--time", "0"),
        ("--time", "soon"),
        ("--iterate", "1,x"),
        ("--iterate", "0"),
        ("--resources", "3"),
        ("--iterate", "²"),
        ("--argsize", "-1"),
        ("--argsize", "²"),
        ("--argsize", "1k"),
    ],
)
def test_wrong_options_are_refused_with_the_allowed_values(perf, capsys, option, value):
    with pytest.raises(SystemExit) as ended:
        perf(THREADS, option, value)
    assert ended.value.code == 2
    assert f"{value!r}; expected " in capsys.readouterr().err
