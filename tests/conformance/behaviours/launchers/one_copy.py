"""Launchers that start one copy log a warning when a block has several nodes."""

import logging

from parsl.launchers import SimpleLauncher, WrappedLauncher

warned = []
logging.getLogger("parsl").addHandler(handler := logging.Handler())
handler.emit = lambda record: warned.append(record.levelname)
for launcher in (SimpleLauncher(), WrappedLauncher("nice")):
    for nodes in (1, 2):
        warned.clear()
        print(launcher("true", 1, nodes), nodes, warned)

# prints:
# true 1 []
# true 2 ['WARNING']
# nice true 1 []
# nice true 2 ['WARNING']
