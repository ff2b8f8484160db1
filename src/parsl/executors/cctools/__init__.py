"""What the executors of Work Queue and of TaskVine, two engines of the CCTools, have in common.

The engine's library runs in a *manager process* of its own, because it blocks, and because it may end its
process. The modules ``engine_loop``, ``sockets`` and ``wire`` run there too, perhaps under another Python
than the driver's: they, and what they import, use the standard library only.
"""
