"""``max_launches_per_block`` of MPIExecutor limits how many programs a block starts."""

from observe import error_of

from parsl.executors import MPIExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider


def make():
    executor = MPIExecutor(provider=LocalProvider(launcher=SimpleLauncher()), max_launches_per_block=1000)
    return type(executor).__name__


print(error_of(make))

# prints:
# returns 'MPIExecutor'
#
# upstream prints:
# TypeError
