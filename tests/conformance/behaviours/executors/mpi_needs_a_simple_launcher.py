"""MPIExecutor refuses other launchers than SimpleLauncher."""

from observe import error_of

from parsl.executors import MPIExecutor
from parsl.launchers import SrunLauncher
from parsl.providers import LocalProvider

print(error_of(lambda: MPIExecutor(provider=LocalProvider(launcher=SrunLauncher())), TypeError))

# prints:
# TypeError
