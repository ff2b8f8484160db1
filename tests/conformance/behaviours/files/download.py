"""A file of an HTTP server is fetched before the task runs, under its own name."""

import http.server
import os
import threading
from pathlib import Path

from observe import threads

import parsl
from parsl.data_provider.files import File


@parsl.python_app
def read(inputs=()):
    import os

    return open(inputs[0]).read(), os.path.basename(inputs[0].filepath)


Path("served").mkdir()
Path("served/a.txt").write_text("text")
os.chdir("served")
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
server.RequestHandlerClass.log_message = lambda *_: None
threading.Thread(target=server.serve_forever, daemon=True).start()
with threads(run_dir="../runinfo"):
    print(read(inputs=[File(f"http://127.0.0.1:{server.server_port}/a.txt")]).result())
server.shutdown()

# prints:
# ('text', 'a.txt')
