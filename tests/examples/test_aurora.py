"""The Aurora example: its physics, its pictures, its checks; the whole of it is `make demo`."""

import importlib.util
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

AURORA = Path(__file__).parents[2] / "examples" / "aurora"


def load(name):
    spec = importlib.util.spec_from_file_location(name, AURORA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def aurora(monkeypatch):
    """Loads a module of the example, which may import its neighbours."""
    names = ("aurora_cpus", "check_results", "oscillator", "report")

    def forget():
        for name in names:
            sys.modules.pop(name, None)

    monkeypatch.syspath_prepend(str(AURORA))
    forget()
    yield load
    forget()


@pytest.mark.parametrize(("drive", "period"), [(0.20, 1), (0.28, 2), (0.29, 4), (0.37, 5), (0.50, None)])
def test_the_oscillator_doubles_its_period_and_becomes_chaotic(aurora, drive, period):
    oscillator = aurora("oscillator")
    assert oscillator.period_of(oscillator.sample_orbit(drive)) == period


def test_a_summary_joins_neighbours_of_the_same_kind(aurora):
    still, swinging = [1.0] * 60, [1.0, 2.0] * 30
    ranges = aurora("report").summarize([(0.1, still), (0.2, still), (0.3, swinging)])
    assert ranges == [(0.1, 0.2, "with the drive", 2), (0.3, 0.3, "repeats after 2", 1)]


def test_the_pictures_show_every_point(aurora):
    report = aurora("report")
    orbits = [(0.1, [0.0, 1.0]), (0.2, [0.5, 0.5])]
    picture = ElementTree.fromstring(report.svg_plot(orbits))
    [path] = picture.iter("{http://www.w3.org/2000/svg}path")
    assert path.get("d").count("M") == 4
    drawn = report.text_plot(orbits).split("\n")
    assert len(drawn) == report.TEXT_ROWS
    assert [row[0] for row in (drawn[0], drawn[-1])] == ["#", "#"]


def test_a_picture_of_a_single_point_can_be_drawn(aurora):
    report = aurora("report")
    assert report.text_plot([(0.1, [1.0])]).count("#") == 1
    assert "<svg" in report.svg_plot([(0.1, [1.0])])


def test_hello_affinity_prints_where_it_runs():
    environment = {"PARSL_WORKER_RANK": "3", "PARSL_WORKER_COUNT": "12", "ZE_AFFINITY_MASK": "1.1"}
    printed = subprocess.run(
        [AURORA / "hello_affinity"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    cpus = re.search(r"Cpus_allowed_list:\s*(\S+)", Path("/proc/self/status").read_text())[1]
    assert printed == f"host {os.uname().nodename}  worker 3 of 12  tile 1.1  cpus {cpus}\n"


def test_hello_affinity_needs_no_parsl():
    printed = subprocess.run(
        [AURORA / "hello_affinity"], env={}, capture_output=True, text=True, check=True
    ).stdout
    assert "worker none of none  tile none" in printed


def test_the_cpus_that_are_expected_are_written_as_the_kernel_does(aurora):
    aurora_cpus = aurora("aurora_cpus")
    assert aurora_cpus.notation([0, 1, 2, 7, 9, 10]) == "0-2,7,9-10"
    assert aurora_cpus.listed_cpus(6) == {*range(52, 60), *range(156, 164)}


def test_the_lists_of_the_example_are_the_same(aurora):
    listed = aurora("aurora_cpus").LIST
    assert f'"list:{listed}"' in (AURORA / "in_job_config.py").read_text()
    assert listed in re.sub(r'"\n\s+"', "", (AURORA / "config.py").read_text())


def write_results(folder, worker_of):
    tiles = [f"{gpu}.{tile}" for gpu in range(6) for tile in range(2)]
    expected_cpus = load("aurora_cpus").expected_cpus
    for number in range(12):
        rank = worker_of(number)
        line = f"host x  worker {rank} of 12  tile {tiles[rank]}  cpus {expected_cpus(rank)}\n"
        (folder / f"hello_{number}.stdout").write_text(line)
    log = folder / "log.txt"
    log.write_text(
        "hello_world tasks complete\ne.g. hello_world_results[0]='Hello Aurora 0'\n"
        "e.g. hello_affinity_results[0]=0\nTasks done!\n"
    )
    return str(log), str(folder)


def test_the_check_accepts_twelve_correctly_placed_workers(aurora, tmp_path):
    check = aurora("check_results").check_ensemble
    assert "12 of 12 workers seen" in check(*write_results(tmp_path, lambda number: number))


def test_the_check_finds_workers_that_ran_nothing(aurora, tmp_path):
    check = aurora("check_results").check_ensemble
    with pytest.raises(SystemExit, match="only workers"):
        check(*write_results(tmp_path, lambda number: number // 2))


def test_the_check_finds_a_wrong_tile(aurora, tmp_path):
    check = aurora("check_results").check_ensemble
    results = write_results(tmp_path, lambda number: number)
    file = tmp_path / "hello_3.stdout"
    file.write_text(file.read_text().replace("tile 1.1", "tile 0.0"))
    with pytest.raises(SystemExit, match=r"worker 3 has tile 0\.0, not 1\.1"):
        check(*results)


def test_processes_are_found_by_their_mark_and_ended(aurora, monkeypatch):
    check_results = aurora("check_results")
    monkeypatch.setattr(check_results, "PROCESSES_MAY_CLEAN_UP_S", 0.0)
    mark = f"test-{os.getpid()}"
    with subprocess.Popen(["sleep", "1000"], env={**os.environ, "PARSL_DEMO": mark}) as process:
        assert check_results.stop_processes(mark) == "1 processes ended"
        process.wait(60)
    assert check_results.check_processes(mark) == "no process left over"
