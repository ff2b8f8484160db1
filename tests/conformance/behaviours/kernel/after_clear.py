"""After ``parsl.clear()`` another configuration can be loaded."""

from observe import error_of

import parsl
from parsl import Config, ThreadPoolExecutor

first = parsl.load(Config(executors=[ThreadPoolExecutor()]))
parsl.clear()
print(error_of(parsl.dfk))
second = parsl.load(Config(executors=[ThreadPoolExecutor()]))
print(parsl.dfk() is second)
first.cleanup()
second.cleanup()

# prints:
# NoDataFlowKernelError
# True
