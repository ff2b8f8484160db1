"""A second ``parsl.load`` without ``clear`` is an error."""

from observe import error_of, threads

import parsl

with threads():
    print(error_of(parsl.load))

# prints:
# ConfigurationError
