"""A user's plug-ins: a memoizer, a staging provider, a dependency resolver, a retry handler."""

import concurrent.futures
import os
import sys

import parsl
from parsl import File, python_app
from parsl.data_provider.file_noop import NoOpFileStaging
from parsl.data_provider.staging import Staging
from parsl.dataflow.dependency_resolvers import SHALLOW_DEPENDENCY_RESOLVER, DependencyResolver
from parsl.dataflow.memoization import Memoizer, make_hash
from site_config import make_config

KIND = sys.argv[1]


class InMemory(Memoizer):
    """Keeps results in a dictionary."""

    def start(self, *, run_dir, config_run_dir):
        self.results = {}

    def check_memo(self, task):
        if not task["memoize"]:
            return None
        task["hashsum"] = make_hash(task)
        if task["hashsum"] not in self.results:
            return None
        future = concurrent.futures.Future()
        future.set_result(self.results[task["hashsum"]])
        return future

    def update_memo_result(self, task, r):
        if task["memoize"]:
            self.results[task["hashsum"]] = r

    def update_memo_exception(self, task, e):
        pass

    def close(self):
        self.is_closed = True


class Shelf(Staging):
    """Files named shelf://..., kept in a directory of this machine."""

    def can_stage_in(self, file):
        return file.scheme == "shelf"

    def can_stage_out(self, file):
        return file.scheme == "shelf"

    def stage_in(self, dm, executor, file, parent_fut):
        file.local_path = os.path.abspath(f"shelf-{file.filename}")

    def stage_out(self, dm, executor, file, app_fu):
        file.local_path = os.path.abspath(f"shelf-{file.filename}")

    def replace_task(self, dm, executor, file, func):
        def wrapped(*args, **kwargs):
            return "from the shelf: " + func(*args, **kwargs)

        return wrapped


class Box:
    """Hides a future from the usual resolvers."""

    def __init__(self, future):
        self.future = future


def gather(value):
    return [value.future] if isinstance(value, Box) else SHALLOW_DEPENDENCY_RESOLVER.traverse_to_gather(value)


def unwrap(value):
    if isinstance(value, Box):
        return value.future.result()
    return SHALLOW_DEPENDENCY_RESOLVER.traverse_to_unwrap(value)


def correct_the_call(error, task_record):
    """Retry with corrected arguments."""
    if isinstance(error, ZeroDivisionError) and task_record["func_name"] == "divide":
        task_record["kwargs"]["by"] = 1
        return 0.5
    return 100


@python_app(cache=True)
def unique(x):
    import uuid

    return f"{x}-{uuid.uuid4()}"


@python_app
def write(text, outputs=()):
    with open(outputs[0], "w") as f:
        f.write(text)


@python_app
def read(file):
    with open(file) as f:
        return f.read()


@python_app
def divide(x, by):
    return x / by


if __name__ == "__main__":
    memoizer = InMemory()
    config = make_config(
        KIND,
        memoizer=memoizer,
        dependency_resolver=DependencyResolver(traverse_to_gather=gather, traverse_to_unwrap=unwrap),
        retries=1,
        retry_handler=correct_the_call,
        storage_access=[Shelf(), NoOpFileStaging()],
    )
    with parsl.load(config):
        first, again = unique(1).result(), unique(1)
        assert again.result() == first and again.task_status() == "memo_done"
        assert unique(Box(divide(4, by=2))).result().startswith("2.0-")
        written = write("text", outputs=[File("shelf://anywhere/file.txt")])
        assert read(written.outputs[0]).result() == "from the shelf: text"
        assert divide(3, by=0).result() == 3
    parsl.clear()
    assert memoizer.is_closed and first in memoizer.results.values()
