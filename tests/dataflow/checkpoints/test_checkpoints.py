from __future__ import annotations

import os
import pickle
import threading
from typing import Any

import pytest

from parsl.config import Config
from parsl.dataflow.checkpoints.file import (
    CheckpointFile,
    CheckpointWarning,
    PeriodicCheckpoints,
    period_in_seconds,
)
from parsl.dataflow.checkpoints.loaded import LoadedCheckpoints, RecordIndex
from parsl.dataflow.errors import BadCheckpoint
from parsl.dataflow.memoization import BasicMemoizer, CheckpointCommand
from parsl.errors import ConfigurationError
from parsl.executors.threads import ThreadPoolExecutor
from parsl.utils import get_all_checkpoints, get_last_checkpoint
from tests.conftest import WaitUntil
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, fail, kernel


def cached(dfk: Any, func: Any, *args: Any) -> Any:
    return dfk.submit(func, args, "all", True, None, {})


def run(tmp_path: Any, *numbers: int, **options: Any) -> int:
    """Run tasks; returns how many were executed."""
    executor = PromptExecutor()
    options.setdefault("checkpoint_mode", "task_exit")
    with kernel(tmp_path, executor, memoizer=BasicMemoizer(**options)) as dfk:
        assert [cached(dfk, add, number, 1).result() for number in numbers] == [n + 1 for n in numbers]
    return executor.calls


def stored(checkpoint: str) -> list[Any]:
    """The results in a checkpoint, read with plain pickle."""
    found = []
    with open(os.path.join(checkpoint, "tasks.pkl"), "rb") as stream:
        while stream.peek(1):
            found.append(pickle.load(stream)["result"])
    return found


def file_of(tmp_path: Any, run_number: int = 0) -> Any:
    return tmp_path / "runs" / f"{run_number:03d}" / "checkpoint" / "tasks.pkl"


class TestModes:
    def test_task_exit_writes_before_the_result_is_visible(self, tmp_path: Any) -> None:
        memoizer = BasicMemoizer(checkpoint_mode="task_exit")
        with kernel(tmp_path, ThreadPoolExecutor(max_threads=2), memoizer=memoizer) as dfk:
            for number in range(50):
                assert cached(dfk, add, number).result() == number
                assert stored(f"{dfk.run_dir}/checkpoint") == list(range(number + 1))

    @pytest.mark.parametrize("mode", ["task_exit", "periodic", "dfk_exit", "manual"])
    def test_a_run_without_a_result_leaves_a_checkpoint_that_loads(self, tmp_path: Any, mode: str) -> None:
        with kernel(tmp_path, PromptExecutor(), memoizer=BasicMemoizer(checkpoint_mode=mode)) as dfk:
            # A run that is killed leaves one, too, if its mode writes during the run.
            assert file_of(tmp_path).exists() is (mode in ("task_exit", "periodic"))
            assert cached(dfk, fail).exception() is not None
        checkpoint = f"{dfk.run_dir}/checkpoint"
        assert stored(checkpoint) == []
        assert run(tmp_path, 1, checkpoint_files=[checkpoint]) == 1
        assert get_all_checkpoints(str(tmp_path / "runs"))[0] == checkpoint

    def test_a_checkpoint_on_request_exists_without_results(self, tmp_path: Any) -> None:
        with kernel(tmp_path, memoizer=BasicMemoizer(checkpoint_mode="manual")) as dfk:
            dfk.memoizer.checkpoint()
            assert stored(f"{dfk.run_dir}/checkpoint") == []

    def test_a_run_without_checkpoints_leaves_none(self, tmp_path: Any) -> None:
        run(tmp_path, 1, checkpoint_mode=None)
        assert not file_of(tmp_path).parent.exists()

    def test_results_of_the_same_moment_are_written_together(
        self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from parsl.common.threads import together

        executor = HoldingExecutor()
        memoizer = BasicMemoizer(checkpoint_mode="task_exit")
        with kernel(tmp_path, executor, memoizer=memoizer) as dfk:
            futures = [cached(dfk, add, number) for number in range(100)]
            sizes: list[int] = []
            write = os.write
            monkeypatch.setattr(os, "write", lambda fd, data: sizes.append(len(data)) or write(fd, data))
            together(executor.run_all)
            assert all(future.done() for future in futures)
            assert len(sizes) == 1
            assert len(stored(f"{dfk.run_dir}/checkpoint")) == 100

    def test_dfk_exit_writes_at_the_end(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor(), memoizer=BasicMemoizer(checkpoint_mode="dfk_exit")) as dfk:
            cached(dfk, add, 1)
            assert not file_of(tmp_path).exists()
        assert stored(file_of(tmp_path).parent) == [1]

    def test_manual_writes_only_on_request(self, tmp_path: Any) -> None:
        memoizer = BasicMemoizer(checkpoint_mode="manual")
        with kernel(tmp_path, PromptExecutor(), memoizer=memoizer) as dfk:
            cached(dfk, add, 1)
            assert not file_of(tmp_path).exists()
            memoizer.checkpoint()
            assert stored(file_of(tmp_path).parent) == [1]
            cached(dfk, add, 2)
        assert stored(file_of(tmp_path).parent) == [1]

    def test_periodic_writes_during_the_run_and_at_its_end(
        self, tmp_path: Any, wait_until: WaitUntil
    ) -> None:
        memoizer = BasicMemoizer(checkpoint_mode="periodic", checkpoint_period="00:00:01")
        with kernel(tmp_path, PromptExecutor(), memoizer=memoizer) as dfk:
            cached(dfk, add, 1)
            wait_until(file_of(tmp_path).exists)
            cached(dfk, add, 2)
        assert stored(file_of(tmp_path).parent) == [1, 2]

    def test_without_a_mode_nothing_is_written(self, tmp_path: Any) -> None:
        memoizer = BasicMemoizer()
        with kernel(tmp_path, PromptExecutor(), memoizer=memoizer) as dfk:
            cached(dfk, add, 1)
            memoizer.checkpoint()
        assert not file_of(tmp_path).exists()

    def test_exceptions_are_not_written(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor(), memoizer=BasicMemoizer(checkpoint_mode="task_exit")) as dfk:
            cached(dfk, fail, 1)
            cached(dfk, add, 1)
        assert stored(file_of(tmp_path).parent) == [1]

    def test_a_single_task_can_be_written(self, tmp_path: Any) -> None:
        memoizer = BasicMemoizer(checkpoint_mode="manual")
        with kernel(tmp_path, PromptExecutor(), memoizer=memoizer) as dfk:
            record = cached(dfk, add, 1).task_record
            memoizer.checkpoint_one(CheckpointCommand(record, result=1))
            memoizer.checkpoint_one(CheckpointCommand(record, exception=ValueError()))
        assert set(stored(file_of(tmp_path).parent)) == {1}

    def test_a_result_that_cannot_be_pickled_is_only_in_memory(
        self, tmp_path: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor, memoizer=BasicMemoizer(checkpoint_mode="task_exit")) as dfk:
            futures = [cached(dfk, threading.Lock) for _ in range(2)]
            assert futures[0].result() is futures[1].result()
            assert executor.calls == 1
        assert caplog.text.count("cannot be pickled, so checkpoints do not contain them") == 1


class TestRestart:
    def test_all_earlier_runs_are_used(self, tmp_path: Any) -> None:
        assert run(tmp_path, 1, 2) == 2
        assert run(tmp_path, 1, 3) == 1
        assert run(tmp_path, 1, 2, 3, 4) == 1
        assert run(tmp_path, 1, 2, 3, 4, checkpoint_mode=None) == 4

    def test_reused_results_go_into_the_new_checkpoint(self, tmp_path: Any) -> None:
        run(tmp_path, 1, 2)
        for _ in range(2):
            last = get_last_checkpoint(str(tmp_path / "runs"))
            assert run(tmp_path, 1, 1, 2, checkpoint_files=last) == 0
        assert stored(last[0]) == [2, 3]

    def test_the_listing_functions(self, tmp_path: Any) -> None:
        runs = str(tmp_path / "runs")
        assert get_all_checkpoints(runs) == get_last_checkpoint(runs) == []
        for number in range(3):
            run(tmp_path, number)
        assert get_all_checkpoints(runs) == [f"{runs}/00{number}/checkpoint" for number in range(3)]
        assert get_last_checkpoint(runs) == [f"{runs}/002/checkpoint"]

    @pytest.mark.parametrize("form", ["{}/checkpoint", "{}/checkpoint/tasks.pkl", "{}"])
    def test_a_checkpoint_may_be_named_in_any_way(self, tmp_path: Any, form: str) -> None:
        run(tmp_path, 1)
        assert run(tmp_path, 1, checkpoint_files=[form.format(tmp_path / "runs" / "000")]) == 0

    def test_a_truncated_file_yields_its_whole_records(
        self, tmp_path: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(tmp_path, 1, 2, 3)
        content = file_of(tmp_path).read_bytes()
        for length in (0, 1, 13, 14, 50, len(content) // 2, len(content) - 1):
            file_of(tmp_path).write_bytes(content[:length])
            whole = length // (len(content) // 3)
            assert run(tmp_path, 1, 2, 3, checkpoint_files=[str(file_of(tmp_path).parent)]) == 3 - whole
        assert "bytes that are not a complete record" in caplog.text

    def test_simultaneous_runs_use_separate_checkpoints(self, tmp_path: Any) -> None:
        memoizers = [BasicMemoizer(checkpoint_mode="task_exit") for _ in range(2)]
        with (
            kernel(tmp_path, PromptExecutor(), memoizer=memoizers[0]) as one,
            kernel(tmp_path, PromptExecutor(), memoizer=memoizers[1]) as other,
        ):
            for number in range(20):
                cached((one, other)[number % 2], add, number, 1)
            assert run(tmp_path, *range(20)) == 0
        assert run(tmp_path, *range(20)) == 0

    def test_a_result_that_was_damaged_since_runs_again(
        self, tmp_path: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(tmp_path, 1)
        executor = PromptExecutor()
        with kernel(tmp_path, executor, memoizer=BasicMemoizer(checkpoint_mode="task_exit")) as dfk:
            content = bytearray(file_of(tmp_path).read_bytes())
            content[-2] ^= 1
            file_of(tmp_path).write_bytes(content)
            assert cached(dfk, add, 1, 1).result() == 2
        assert executor.calls == 1
        assert "runs again" in caplog.text


class TestBadFiles:
    def load(self, tmp_path: Any, **options: Any) -> str:
        with pytest.raises(BadCheckpoint) as raised:
            run(tmp_path, 1, **options)
        return str(raised.value)

    def test_missing(self, tmp_path: Any) -> None:
        message = self.load(tmp_path, checkpoint_files=["/nowhere"])
        assert "not found: there is no /nowhere/tasks.pkl" in message
        assert "get_all_checkpoints" in message
        empty = tmp_path / "empty"
        empty.mkdir()
        assert "not found" in self.load(tmp_path, checkpoint_files=[empty])

    @pytest.mark.parametrize("content", [b"hello world", pickle.dumps([1, 2]), b"x" * 1000])
    def test_foreign(self, tmp_path: Any, content: bytes) -> None:
        (tmp_path / "tasks.pkl").write_bytes(content)
        message = self.load(tmp_path, checkpoint_files=[tmp_path])
        assert f"Failed to load checkpoint {tmp_path}/tasks.pkl: it is not a checkpoint file" in message

    def test_of_another_version(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from parsl.dataflow.checkpoints import records as checkpoint_records

        monkeypatch.setattr(checkpoint_records, "VERSION", 2)
        run(tmp_path, 1, 2)
        monkeypatch.undo()
        assert "of version 2; this Parsl reads version 1" in self.load(tmp_path)

    def test_unreadable(self, tmp_path: Any) -> None:
        loop = tmp_path / "tasks.pkl"
        loop.write_bytes(b"")
        loop.chmod(0)
        if os.access(loop, os.R_OK):
            pytest.skip("this user may read everything")
        assert "Permission" in self.load(tmp_path, checkpoint_files=[tmp_path])

    def test_an_empty_checkpoint_of_a_new_run_is_accepted(self, tmp_path: Any) -> None:
        (tmp_path / "tasks.pkl").write_bytes(b"")
        assert run(tmp_path, 1, checkpoint_files=[str(tmp_path)]) == 1

    def test_a_run_directory_without_a_checkpoint_is_an_error_only_if_named(self, tmp_path: Any) -> None:
        (tmp_path / "runs" / "000" / "checkpoint").mkdir(parents=True)
        assert run(tmp_path, 1) == 1


class TestParameters:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"checkpoint_files": "runinfo/000/checkpoint"},
            {"checkpoint_files": [1]},
            {"checkpoint_mode": "zz"},
            {"checkpoint_mode": True},
            {"checkpoint_mode": "periodic", "checkpoint_period": "10"},
            {"checkpoint_mode": "periodic", "checkpoint_period": "00:10"},
            {"checkpoint_mode": "periodic", "checkpoint_period": "00:00:00"},
            {"checkpoint_mode": "periodic", "checkpoint_period": "00:00:-1"},
            {"checkpoint_mode": "periodic", "checkpoint_period": 10},
            {"checkpoint_mode": "periodic", "checkpoint_period": ""},
            {"checkpoint_mode": "periodic", "checkpoint_period": 0},
            {"memoize": 1},
            {"function_identity": "zz"},
        ],
        ids=str,
    )
    def test_invalid_checkpoints_are_refused(self, wrong: Any) -> None:
        name = list(wrong)[-1]
        with pytest.raises(ConfigurationError, match=f"BasicMemoizer: {name}"):
            BasicMemoizer(**wrong)

    def test_a_period_is_hours_minutes_and_seconds(self) -> None:
        assert period_in_seconds("test", "01:02:03") == 3723
        assert period_in_seconds("test", "100:00:00") == 360000

    def test_a_config_takes_memoizers_only(self) -> None:
        with pytest.raises(ConfigurationError, match="expected a Memoizer"):
            Config(memoizer="basic")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="call it to make one"):
            Config(memoizer=BasicMemoizer)  # type: ignore[arg-type]
        memoizer = BasicMemoizer()
        assert Config(memoizer=memoizer).memoizer is memoizer


class TestOlderSpellings:
    @pytest.mark.parametrize(
        ("name", "value", "attribute"),
        [
            ("app_cache", False, "memoize"),
            ("checkpoint_files", ["a"], "checkpoint_files"),
            ("checkpoint_mode", "task_exit", "checkpoint_mode"),
            ("checkpoint_period", "00:10:00", "checkpoint_period"),
        ],
    )
    def test_of_config(self, name: str, value: Any, attribute: str) -> None:
        with pytest.warns(DeprecationWarning, match=f"Config: {name} has been retired") as warned:
            config: Any = Config(**{name: value})
        assert getattr(config.memoizer, attribute) == value
        assert len(warned) == 1
        assert warned[0].filename == __file__
        assert f"memoizer=BasicMemoizer({attribute}={value!r})" in str(warned[0].message)

    def test_each_warns_once(self) -> None:
        with pytest.warns(DeprecationWarning, match="Config: ") as warned:
            config: Any = Config(app_cache=True, checkpoint_mode="manual")  # type: ignore[call-arg]
        assert len(warned) == 2
        assert (config.memoizer.memoize, config.memoizer.checkpoint_mode) == (True, "manual")

    def test_older_parameters_together_with_a_memoizer_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"Write BasicMemoizer\(checkpoint_mode='manual'\)"):
            Config(memoizer=BasicMemoizer(), checkpoint_mode="manual")  # type: ignore[call-arg]

    def test_unknown_parameters_are_refused(self) -> None:
        with pytest.raises(TypeError, match="unexpected keyword argument 'checkpoint'"):
            Config(checkpoint=True)  # type: ignore[call-arg]

    def test_of_the_kernels_checkpoint(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor(), memoizer=BasicMemoizer(checkpoint_mode="manual")) as dfk:
            cached(dfk, add, 1)
            with pytest.warns(DeprecationWarning, match="write memoizer.checkpoint") as warned:
                directory = dfk.checkpoint()
            assert (len(warned), warned[0].filename) == (1, __file__)
            assert stored(directory) == [1]


class TestCheckpointFile:
    def test_a_full_disk_loses_nothing_and_leaves_no_half_record(
        self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = CheckpointFile(str(tmp_path / "new" / "file"))
        file.add(b"one")
        file.write()
        write = os.write
        room = [2]

        def full(fd: int, data: Any) -> int:
            if not room[0]:
                raise OSError(28, "No space left on device")
            return write(fd, data[: room.pop(0)]) if len(room) > 1 else write(fd, data[: _take(room)])

        def _take(room: list[int]) -> int:
            size, room[0] = room[0], 0
            return size

        def write_without_room() -> None:
            with monkeypatch.context() as patched:
                patched.setattr(os, "write", full)
                for record in (b"two", b"three"):
                    file.add(record)
                    file.write()

        with pytest.warns(CheckpointWarning, match="could not be written to checkpoint") as caught:
            write_without_room()
        assert len(caught) == 1
        assert (tmp_path / "new" / "file").read_bytes() == b"one"
        assert caplog.text.count("could not be written") == 1
        file.write()
        file.close()
        assert (tmp_path / "new" / "file").read_bytes() == b"onetwothree"

    def test_without_records_there_is_no_file(self, tmp_path: Any) -> None:
        file = CheckpointFile(str(tmp_path / "new" / "file"))
        file.write()
        file.close()
        assert not (tmp_path / "new").exists()

    def test_threads_may_write_at_the_same_time(self, tmp_path: Any) -> None:
        file = CheckpointFile(str(tmp_path / "file"))

        def add_many(letter: bytes) -> None:
            for _ in range(500):
                file.add(letter * 10)
                file.write()

        threads = [threading.Thread(target=add_many, args=(letter,)) for letter in (b"a", b"b", b"c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        file.close()
        content = (tmp_path / "file").read_bytes()
        parts = [content[at : at + 10] for at in range(0, len(content), 10)]
        assert sorted(parts) == sorted([b"a" * 10] * 500 + [b"b" * 10] * 500 + [b"c" * 10] * 500)


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_periodic_checkpoints_continue_after_an_exception(
    wait_until: WaitUntil, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    calls: list[int] = []

    class Failing(BasicMemoizer):
        def checkpoint_queue(self) -> None:
            calls.append(1)
            raise error

    periodic = PeriodicCheckpoints(Failing().checkpoint_queue, 0.001)
    try:
        wait_until(lambda: len(calls) > 2)
    finally:
        periodic.stop()
    assert "The periodic checkpoint has failed" in caplog.text


def test_the_index_keeps_the_latest(tmp_path: Any) -> None:
    index = RecordIndex()
    keys = [number.to_bytes(16, "little") for number in range(1000)]
    assert index.add(0, ((key, number) for number, key in enumerate(keys))) == 1000
    index.add(3, [(keys[5], 1 << 40)])
    assert (index.find(keys[4]), index.find(keys[5]), index.find(b"x" * 16)) == ((0, 4), (3, 1 << 40), None)
    assert len(index) == 1000
    assert repr(index) == "<RecordIndex 1000 records>"
    index.close()


def test_loaded_checkpoints_are_a_mapping(tmp_path: Any) -> None:
    run(tmp_path, 1, 2)
    run(tmp_path, 1, 3)
    loaded = BasicMemoizer().load_checkpoints(get_all_checkpoints(str(tmp_path / "runs")))
    assert isinstance(loaded, LoadedCheckpoints)
    assert len(loaded) == len(list(loaded)) == 3
    assert sorted(future.result() for future in loaded.values()) == [2, 3, 4]
    assert "0" * 32 not in loaded
    assert BasicMemoizer().load_checkpoints(None) == {}
    loaded.close()
