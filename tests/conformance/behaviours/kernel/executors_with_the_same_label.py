"""Two executors with the same label in one configuration."""

from observe import error_of

from parsl import Config, ThreadPoolExecutor
from parsl.errors import ConfigurationError

print(error_of(lambda: Config(executors=[ThreadPoolExecutor(), ThreadPoolExecutor()]), ConfigurationError))

# prints:
# ConfigurationError
