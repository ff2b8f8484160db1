"""App futures and data futures, and the standard library's functions on them."""

import concurrent.futures
import os
import threading
from concurrent.futures import as_completed, wait

import parsl
from parsl import File, bash_app, python_app
from parsl.dataflow.futures import AppFuture


@python_app
def double(x):
    return 2 * x


@python_app
def wait_for(path):
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)
    return path


@bash_app
def write_number(number, outputs=(), stdout=None):
    return f"echo {number} | tee {outputs[0].filepath}"


@python_app
def read_number(inputs=()):
    with open(inputs[0].filepath) as f:
        return int(f.read())


if __name__ == "__main__":
    signal = os.path.abspath("go")
    waiting = wait_for(signal)
    assert isinstance(waiting, AppFuture)
    assert isinstance(waiting, concurrent.futures.Future)
    assert not waiting.done()
    try:
        waiting.result(timeout=0.01)
        raise SystemExit("there cannot be a result yet")
    except concurrent.futures.TimeoutError:
        pass
    called = threading.Event()
    waiting.add_done_callback(lambda future: called.set())
    open(signal, "w").close()
    assert waiting.result() == signal
    assert waiting.done() and waiting.exception() is None
    assert called.wait(60)
    assert waiting.task_status() == "exec_done"
    assert isinstance(waiting.tid, int)

    many = [double(i) for i in range(20)]
    done, not_done = wait(many)
    assert len(done) == 20 and not not_done
    assert sorted(f.result() for f in as_completed(many)) == list(range(0, 40, 2))

    foreign = concurrent.futures.Future()
    later = double(foreign)
    assert not later.done()
    foreign.set_result(21)
    assert later.result() == 42

    path = os.path.abspath("number.txt")
    written = write_number(7, outputs=[File(path)])
    [number_file] = written.outputs
    assert number_file.filepath == path and number_file.filename == path
    assert number_file.tid == written.tid
    assert read_number(inputs=[number_file]).result() == 7
    assert number_file.result().filepath == path
    assert number_file.done()

    parsl.wait_for_current_tasks()
