"""``cleanup`` called twice."""

from observe import error_of

import parsl
from parsl import Config, ThreadPoolExecutor

kernel = parsl.load(Config(executors=[ThreadPoolExecutor()]))
print(error_of(kernel.cleanup), error_of(kernel.cleanup))

# prints:
# returns None returns None
#
# upstream prints:
# returns None Exception
