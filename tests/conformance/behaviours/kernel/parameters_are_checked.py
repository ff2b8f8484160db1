"""A wrong type of a parameter of Config is an error of the constructor."""

from observe import error_of

from parsl import Config

print(error_of(lambda: Config(retries="3"), TypeError))

# prints:
# TypeError
#
# upstream prints:
# TypeCheckError
