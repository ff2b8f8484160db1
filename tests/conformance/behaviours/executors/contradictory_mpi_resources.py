"""An MPI specification of 2 nodes with 3 ranks each, and 4 ranks."""

from observe import error_of

import parsl
from parsl import Config, bash_app
from parsl.executors import MPIExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider


@bash_app
def program(parsl_resource_specification=None):
    return "true"


executor = MPIExecutor(
    address="127.0.0.1",
    max_workers_per_block=1,
    provider=LocalProvider(launcher=SimpleLauncher(), min_blocks=0, init_blocks=0, max_blocks=0),
)
resources = {"num_nodes": 2, "ranks_per_node": 3, "num_ranks": 4}
with parsl.load(Config(executors=[executor])):
    print(error_of(lambda: program(parsl_resource_specification=resources).done()))

# prints:
# InvalidResourceSpecification
#
# upstream prints:
# returns False
