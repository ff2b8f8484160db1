"""The picture of ``parsl top`` in the documentation.

``PARSL_PICTURES=docs/images python -m pytest tests/cli/test_top_picture.py`` draws it again.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from parsl.cli.live.screen import TopScreen
from parsl.common.processes import started_at
from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from parsl.eventlog.watch import RunWatch
from parsl.vocabulary.task_states import States
from tests.support.event_logs import ended_row, run_began

_APPS = ("prepare", "simulate", "analyse", "report")
_RUN_S = (0.8, 14.0, 2.4, 5.0)
_ENDED = (1200, 310, 280, 6)
_HOSTS = ("x4502c1s0b0n0", "x4502c1s1b0n0")
_WORKERS = 12


def records_of_a_survey(now_s: float) -> Iterator[records.Record]:
    """Yield the records of a run that goes on: one block runs, another one waits, some tasks have failed."""
    began_s = now_s - 420
    me = {"pid": os.getpid(), "process_started": started_at(os.getpid())}
    yield run_began(began_s=began_s, workflow_name="survey.py", **me)
    yield records.Executors([records.ExecutorFacts("aurora", "HighThroughputExecutor", "PBSProProvider")])
    yield records.Apps(list(_APPS))
    yield records.BlockChanged(0, began_s + 60, "0", "8712034.aurora", "RUNNING")
    yield records.BlockChanged(
        0,
        began_s + 61,
        "1",
        "8712077.aurora",
        "PENDING",
        "Not Running: Insufficient amount of resource: ncpus",
    )
    for number, host in enumerate(_HOSTS):
        yield records.ManagerJoined(
            0, number, began_s + 75, f"m{number}", "0", host, 400, _WORKERS, 208, 2**40, "3.12", []
        )
    task = 0
    for app, ended in enumerate(_ENDED):
        rows = []
        for place in range(ended):
            fails = app == 1 and place % 40 == 7
            state = States.failed if fails else States.exec_done
            rows.append(
                ended_row(
                    task, app, state, run_s=_RUN_S[app] * (0.7 + place % 7 / 10), invoked_s=began_s,
                    launched_s=began_s + 80, returned_s=began_s + 80 + 340 * (place + 1) / ended,
                    manager=place % 2,
                )
            )  # fmt: skip
            if fails:
                yield records.AttemptFailed(
                    task, 0, 0, rows[-1].returned_s or 0.0, "failed", "builtins.FileNotFoundError",
                    f"[Errno 2] No such file or directory: 'field-{place:03d}.h5'", began_s, 0.2, 0, 3,
                    _HOSTS[0],
                )  # fmt: skip
            task += 1
        yield records.Tasks(rows)
    yield from _unfinished(task, began_s, now_s)


def _unfinished(first: int, began_s: float, now_s: float) -> Iterator[records.Record]:
    states = [States.launched] * 80 + [States.pending] * 41
    yield records.Tasks([
        records.TaskRow(first + n, 1 + n % 2 if n < 80 else 3, 0, int(state), 0, began_s, began_s + 90)
        for n, state in enumerate(states)
    ])  # fmt: skip
    yield records.TasksStarted([
        records.TaskStarted(first + n, 0, now_s - 1 - n % 9, n % 2, n // 2) for n in range(2 * _WORKERS)
    ])  # fmt: skip


@pytest.fixture
def survey(tmp_path):
    """The directory of the run."""
    run = tmp_path / "runinfo" / "007"
    run.mkdir(parents=True)
    file = EventFile(str(run / records.EVENT_LOG))
    for record in records_of_a_survey(time()):
        assert file.write(record)
    file.close()
    return run


def without_web_fonts(picture: str) -> str:
    """Return an SVG that loads nothing from elsewhere."""
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def test_the_picture_shows_a_run_and_loads_nothing(survey, monkeypatch):
    monkeypatch.chdir(survey.parents[1])
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def draw() -> str:
        with RunWatch(survey) as watch:
            screen = TopScreen(watch, "runinfo/007")
            async with screen.run_test(size=(104, 20)) as pilot:
                await pilot.pause()
                return screen.export_screenshot(title="parsl top")

    picture = without_web_fonts(asyncio.run(draw())).replace(os.uname().nodename, "login2")
    assert "simulate" in picture
    assert not re.search(r"url\((?!#)|href=\"http", picture)
    if directory := os.environ.get("PARSL_PICTURES"):
        (Path(directory) / "top.svg").write_text(picture)
