"""A bash app that leaves a declared output out fails with the paths of the missing ones."""

from observe import threads

import parsl
from parsl.data_provider.files import File


@parsl.bash_app
def write(outputs=()):
    return "touch present.txt"


with threads():
    error = write(outputs=[File("present.txt"), File("missing.txt")]).exception()
    print(type(error).__name__, [file.filepath for file in error.outputs])

# prints:
# MissingOutputs ['missing.txt']
