"""``add_executors`` with a label that is in use."""

from observe import error_of, threads

from parsl import ThreadPoolExecutor

with threads() as kernel:
    (label,) = [label for label in kernel.executors if not label.startswith("_")]
    print(error_of(lambda: kernel.add_executors([ThreadPoolExecutor(label=label)]), ValueError))

# prints:
# ValueError
#
# upstream prints:
# returns None
