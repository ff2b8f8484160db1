"""An HTTP server answers with an error page: what the task that needs the file gets."""

import http.server
import threading

from observe import threads

import parsl
from parsl.data_provider.files import File


@parsl.python_app
def size(inputs=()):
    import os

    return os.path.getsize(inputs[0]) > 0


server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
server.RequestHandlerClass.log_message = lambda *_: None
threading.Thread(target=server.serve_forever, daemon=True).start()
with threads():
    future = size(inputs=[File(f"http://127.0.0.1:{server.server_port}/absent.txt")])
    error = future.exception()
    print(type(error).__name__ if error else f"the page: {future.result()}")
server.shutdown()

# prints:
# DependencyError
#
# upstream prints:
# the page: True
