"""With ``exit_mode="skip"``, the run goes on after the block."""

import parsl
from parsl import Config, ThreadPoolExecutor

with parsl.load(Config(executors=[ThreadPoolExecutor()], exit_mode="skip")) as kernel:
    pass
print(kernel.cleanup_called)
kernel.cleanup()
print(kernel.cleanup_called)

# prints:
# False
# True
