"""Files as inputs and outputs, chained by data futures, and fetched from a server."""

import functools
import http.server
import os
import threading

from parsl import bash_app, python_app
from parsl.data_provider.files import File


@python_app
def split(inputs=(), outputs=()):
    with open(inputs[0]) as source:
        lines = source.readlines()
    for number, part in enumerate(outputs):
        with open(part, "w") as f:
            f.writelines(lines[number :: len(outputs)])


@bash_app
def sort(inputs=(), outputs=()):
    return "sort -n {} > {}".format(inputs[0], outputs[0])


@bash_app
def merge(inputs=(), outputs=(), stdout=None):
    return f"sort -m -n {' '.join(i.filepath for i in inputs)} > {outputs[0].filepath}"


@python_app
def first_line(inputs=()):
    with open(inputs[0].filepath) as f:
        return f.readline().strip()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


if __name__ == "__main__":
    here = os.path.abspath("files")
    os.makedirs(os.path.join(here, "served"))
    with open(os.path.join(here, "numbers.txt"), "w") as f:
        f.writelines(f"{number * 7 % 31}\n" for number in range(31))

    whole = File("file://" + os.path.join(here, "numbers.txt"))
    assert (whole.scheme, whole.filename) == ("file", "numbers.txt")
    parts = split(inputs=[whole], outputs=[File(os.path.join(here, f"part{n}")) for n in range(3)])
    done = [sort(inputs=[part], outputs=[File(f"{part.filepath}.sorted")]) for part in parts.outputs]
    merged = merge(
        inputs=[each.outputs[0] for each in done], outputs=[File(os.path.join(here, "merged.txt"))]
    )
    with open(merged.outputs[0].result().filepath) as f:
        assert [int(line) for line in f] == list(range(31))

    with open(os.path.join(here, "served", "remote.txt"), "w") as f:
        f.write("from afar\n")
    handler = functools.partial(Quiet, directory=os.path.join(here, "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        remote = File(f"http://127.0.0.1:{server.server_port}/remote.txt")
        assert first_line(inputs=[remote]).result() == "from afar"
        server.shutdown()
