"""A call of an app before ``parsl.load``, and ``parsl.dfk()``, raise NoDataFlowKernelError."""

from observe import error_of, where_it_fails

import parsl


@parsl.python_app
def one():
    return 1


print(where_it_fails(one), error_of(parsl.dfk))

# prints:
# the call: NoDataFlowKernelError NoDataFlowKernelError
