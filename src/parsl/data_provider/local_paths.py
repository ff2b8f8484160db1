"""Where the copies of files go."""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False


class LocalPaths:
    """Chooses the local path of each staged file; any thread may ask.

    A file keeps its name, in the executor's working directory. Only when another URL has that very path
    already, say ``http://a/data.csv`` and ``http://b/data.csv``, the later one gets a directory of its own,
    so that no task reads another one's file.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[int, int] = {}  # hashes of path and URL: there may be millions of them

    def choose(self, working_dir: str, name: str, url: str, scope: str = "") -> str:
        """Return the path for a file.

        Args:
            working_dir: The directory; empty for the current one of whoever uses the path.
            name: The file's name, or a relative path.
            url: What the file is a copy of.
            scope: Where the path is valid: the label of an executor.
        """
        path = os.path.join(working_dir, name)
        key = hash((scope, path))
        with self._lock:
            if self._owners.setdefault(key, hash(url)) == hash(url):
                return path
        return os.path.join(working_dir, _digest(url), name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._owners)} files>"


def _digest(url: str) -> str:
    from hashlib import sha256

    return "url-" + sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:16]
