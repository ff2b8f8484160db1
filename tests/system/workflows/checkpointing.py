"""App caching, and runs that continue from the checkpoints of earlier ones."""

import os
import sys

import parsl
from parsl import python_app
from parsl.dataflow.memoization import BasicMemoizer, id_for_memo
from parsl.utils import get_all_checkpoints, get_last_checkpoint
from site_config import make_config

RUNS = os.path.abspath("checkpointed")
KIND = sys.argv[1]


class Mesh:
    def __init__(self, cells, comment):
        self.cells = cells
        self.comment = comment


@id_for_memo.register(Mesh)
def id_for_mesh(mesh, output_ref=False):
    return id_for_memo(mesh.cells)


@python_app(cache=True, ignore_for_cache=["note"])
def refine(mesh, times, note=None):
    import os
    import uuid

    return mesh.cells * 2**times, f"{os.getpid()}-{uuid.uuid4()}"


@python_app(cache=True)
def fails():
    raise ValueError("not kept in a checkpoint")


def run(**options):
    memoizer = BasicMemoizer(**options)
    with parsl.load(make_config(KIND, run_dir=RUNS, memoizer=memoizer)) as dfk:
        first = refine(Mesh(3, "one"), 2, note="a")
        result = first.result()
        again = refine(Mesh(3, "another"), 2, note="b")
        assert again.result() == result and again.task_status() == "memo_done"
        assert refine(Mesh(4, "one"), 2).result() != result
        assert isinstance(fails().exception(), ValueError)
        if options.get("checkpoint_mode") == "manual":
            dfk.memoizer.checkpoint()
    parsl.clear()
    return result, first.task_status()


if __name__ == "__main__":
    result, status = run(checkpoint_mode="manual")
    assert (result[0], status) == (12, "exec_done")
    assert run(checkpoint_files=get_all_checkpoints(RUNS), checkpoint_mode="task_exit") == (
        result,
        "memo_done",
    )
    assert run(checkpoint_files=get_last_checkpoint(RUNS)) == (result, "memo_done")
