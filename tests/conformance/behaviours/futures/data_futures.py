"""The outputs of an app are data futures, whose results are files."""

from observe import threads

import parsl
from parsl.data_provider.files import File


@parsl.bash_app
def write(outputs=()):
    return f"echo text > {outputs[0]}"


@parsl.python_app
def read(inputs=()):
    return open(inputs[0]).read().strip()


with threads():
    future = write(outputs=[File("a.txt")])
    (output,) = future.outputs
    print(type(output).__name__, output.filepath, output.filename, output.tid == future.tid)
    print(read(inputs=[output]).result(), type(output.result()).__name__, output.done())

# prints:
# DataFuture a.txt a.txt True
# text File True
