"""The configurations found in a file, and the errors for unusable files."""

import pytest

from parsl.cli.checkup.config_loading import load_configs, split_target
from parsl.dataflow.dflow import DataFlowKernel


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PBS_NODEFILE", raising=False)

    def write(text, name="config.py"):
        path = tmp_path / name
        path.write_text(f"import parsl\nfrom parsl import Config\n{text}\n")
        return str(path)

    return write


def labels(loaded):
    return {name: config.run_dir for name, config in loaded.configs.items()}


def error(loaded):
    assert loaded.configs == {}
    [finding] = [finding for finding in loaded.findings if finding.level == "error"]
    return f"{finding.text} {finding.advice}"


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("config.py", ("config.py", "")),
        ("a/config.py:one", ("a/config.py", "one")),
        ("odd:name/config.py", ("odd:name/config.py", "")),
        ("package.module:one", ("package.module", "one")),
        (":one", (":one", "")),
    ],
)
def test_a_target_is_parsed(target, parts):
    assert split_target(target) == parts


def test_every_configuration_of_a_file_is_found_once(write):
    path = write("a = Config(run_dir='a')\nb = Config(run_dir='b')\nalias = a")
    assert labels(load_configs(path)) == {"a": "a", "b": "b"}
    assert labels(load_configs(f"{path}:b")) == {"b": "b"}


def test_a_function_can_create_the_configuration(write):
    path = write("def make():\n    return Config(run_dir='made')")
    assert labels(load_configs(f"{path}:make")) == {"make": "made"}
    assert "name the function, as in" in error(load_configs(path))


def test_a_module_can_contain_the_configuration(write):
    write("c = Config(run_dir='x')", "my_site_config.py")
    assert labels(load_configs("my_site_config:c")) == {"c": "x"}


def test_a_file_may_import_its_neighbours(write):
    write("value = 'from next to it'", "neighbour_of_config.py")
    path = write("from neighbour_of_config import value\nc = Config(run_dir=value)")
    assert labels(load_configs(path)) == {"c": "from next to it"}


def test_a_script_that_loads_parsl_does_not_start_it(write, tmp_path):
    start = DataFlowKernel.__init__
    path = write(
        f"""
try:
    with parsl.load(Config(run_dir={str(tmp_path / "runs")!r})):
        raise AssertionError("it was started")
except Exception as error:
    raise AssertionError("loading was refused") from error
"""
    )
    loaded = load_configs(path)
    assert labels(loaded) == {"parsl.load(...)": str(tmp_path / "runs")}
    assert [finding.level for finding in loaded.findings] == ["note"]
    assert not (tmp_path / "runs").exists()
    assert DataFlowKernel.__init__ is start


def test_output_of_a_file_is_not_in_the_report(write, capsys):
    load_configs(write("print('hello')\nc = Config()"))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c = Config(retries=-1)", "retries is -1"),
        ("c = Config(", "SyntaxError"),
        ("import nosuchmodule", "Install nosuchmodule"),
        ("raise SystemExit('no')", "sys.exit('no')"),
        ("c = 1 / 0", "in line 3: c = 1 / 0"),
        ("pass", "it has no Config"),
    ],
)
def test_an_unusable_file_is_an_error(write, text, words):
    assert words in error(load_configs(write(text)))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("missing.py", "No such file"),
        ("no_such_module_here", "No module named"),
        ("config.py:nothing", "it has no nothing"),
        ("config.py:number", "number is a int, not a Config"),
        ("config.py:broken", "ZeroDivisionError"),
    ],
)
def test_a_missing_target_is_an_error(write, target, words):
    write("number = 1\ndef broken():\n    1 / 0")
    assert words in error(load_configs(target))


NODE_FILE = """
import os
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider
with open(os.getenv("PBS_NODEFILE")) as f:
    nodes = len(f.readlines())
c = Config([HighThroughputExecutor(provider=LocalProvider(nodes_per_block=nodes))])
"""


def test_a_node_file_that_is_unset_missing_or_empty(write, tmp_path, monkeypatch):
    path = write(NODE_FILE)
    assert "set inside a PBS job only" in error(load_configs(path))
    monkeypatch.setenv("PBS_NODEFILE", str(tmp_path / "nodes"))
    assert "nodes, which does not exist here" in error(load_configs(path))
    (tmp_path / "nodes").write_text("")
    message = error(load_configs(path))
    assert "nodes_per_block is 0" in message
    assert "nodes, which is empty" in message
    (tmp_path / "nodes").write_text("x1\nx2\n")
    assert load_configs(path).configs["c"].executors[0].provider.nodes_per_block == 2


def test_warnings_of_parsl_are_passed_on(write):
    text = "from parsl.providers import LocalProvider\nLocalProvider(init_blocks=2)\nc = Config()"
    loaded = load_configs(write(text))
    assert [finding.level for finding in loaded.findings] == ["warning"]
    assert "init_blocks is 2" in loaded.findings[0].text


def test_functions_that_may_create_a_configuration_are_named(write):
    target = write(
        "from os.path import join\ndef _inner(): pass\ndef small(): return 1\ndef large(): return 1"
    )
    assert "config.py:small (there are small, large)" in error(load_configs(target))
    assert "it has no smal, but small, large" in error(load_configs(f"{target}:smal"))
