"""An app has the name, the module and the docstring of its function."""

import parsl


@parsl.python_app
def double(x):
    """Double it."""
    return 2 * x


print(double.__name__, double.__module__, double.__doc__)

# prints:
# double __main__ Double it.
#
# upstream prints:
# double parsl.app.python Extends AppBase to cover the Python App.
