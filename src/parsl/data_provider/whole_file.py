"""Writing a file that is there either as a whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager

from parsl.data_provider.staged_call import make_parents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import IO


@contextmanager
def whole_file(path: str) -> Generator[IO[bytes], None, None]:
    """Give a file to write to, which takes the name ``path`` at the end of the block.

    If the block raises, what was written is removed and ``path`` is as it was. Any number of tasks may
    write the same file at the same time: each reader finds one of them, complete. Missing directories
    are made.

    Raises:
        OSError: It cannot be written.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a directory, and there is to be a file of that name")
    make_parents(path)
    partial = os.path.join(os.path.dirname(path), f".parsl-{os.getpid()}-{os.urandom(6).hex()}.part")
    try:
        with open(partial, "xb") as stream:
            yield stream
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise
