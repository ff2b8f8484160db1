"""An app runs on the executors whose labels it names."""

import parsl
from parsl import Config, ThreadPoolExecutor


def name():
    import threading

    return threading.current_thread().name.partition("-")[0]


pools = [ThreadPoolExecutor(label=label, thread_name_prefix=f"{label}-") for label in ("a", "b")]
with parsl.load(Config(executors=pools)):
    apps = [parsl.python_app(name, executors=[label]) for label in ("a", "b")]
    print([{app().result() for _ in range(5)} for app in apps])

# prints:
# [{'a'}, {'b'}]
