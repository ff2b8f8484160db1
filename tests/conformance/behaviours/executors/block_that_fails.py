"""When blocks keep failing, the tasks fail with the executor's error."""

from observe import name_of

import parsl
from parsl import Config, HighThroughputExecutor
from parsl.executors.errors import BadStateException
from parsl.providers import LocalProvider


@parsl.python_app
def one():
    return 1


provider = LocalProvider(worker_init="exit 7", init_blocks=1, min_blocks=0, max_blocks=1)
executor = HighThroughputExecutor(address="127.0.0.1", provider=provider)
with parsl.load(Config(executors=[executor], strategy="simple", strategy_period=0.5)):
    error = one().exception()
    print(name_of(error, BadStateException))

# prints:
# BadStateException
