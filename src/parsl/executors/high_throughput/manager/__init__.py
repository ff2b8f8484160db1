"""The manager: one process per node that places and watches workers."""
