"""Tasks that wait for a future of another library when the run is cleaned up."""

import concurrent.futures

from observe import error_of

import parsl
from parsl import Config, ThreadPoolExecutor


@parsl.python_app
def take(x):
    return x


gate = concurrent.futures.Future()
with parsl.load(Config(executors=[ThreadPoolExecutor()], exit_mode="cleanup")):
    future = take(gate)
print(future.done(), error_of(lambda: future.result(timeout=1)))

# prints:
# True DataFlowException
#
# upstream prints:
# False TimeoutError
