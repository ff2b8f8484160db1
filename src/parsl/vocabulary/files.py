"""The name of a file, wherever it is."""

from __future__ import annotations

import os

from parsl import validate
from parsl.vocabulary import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: A string without any of these names a local path, as it stands.
_URL_CHARACTERS = ":?#;%[]"


class File:
    """A file that a task reads or writes: a local path or a URL.

    Attributes:
        url: As it was given.
        scheme: Such as ``file`` (also for a plain path), ``http``, ``globus``.
        netloc: The host, or what stands in its place.
        path: The path on that host.
        filename: The last part of the path.
        local_path: Where the file is on the machine that uses it, once staging has said so.

    Args:
        url: A path or a URL.

    Raises:
        ParameterError: It is neither, or empty.
    """

    def __init__(self, url: os.PathLike[str] | str) -> None:
        self.url: str = os.fspath(_checked(url))
        self.local_path: str | None = None
        if any(character in self.url for character in _URL_CHARACTERS):
            from urllib.parse import urlsplit

            parts = urlsplit(self.url)
            self.scheme, self.netloc, self.path = parts.scheme or "file", parts.netloc, parts.path
        else:
            self.scheme, self.netloc, self.path = "file", "", self.url
        self.filename = os.path.basename(self.path)

    def cleancopy(self) -> File:
        """Return a new File of the same URL, without a local path."""
        return type(self)(self.url)

    @property
    def filepath(self) -> str:
        """The local path to open.

        Raises:
            ValueError: The file is remote and has not been staged here.
        """
        if self.local_path is not None:
            return self.local_path
        if self.scheme == "file":
            return self.path
        raise ValueError(
            f"No local_path set for {self!r}: a file of scheme {self.scheme!r} has no local path "
            "until it has been staged"
        )

    def __fspath__(self) -> str:
        return self.filepath

    def __str__(self) -> str:
        return self.filepath

    def __repr__(self) -> str:
        details: dict[str, Any] = {
            "url": self.url,
            "scheme": self.scheme,
            "netloc": self.netloc,
            "path": self.path,
            "filename": self.filename,
        }
        if self.local_path is not None:
            details["local_path"] = self.local_path
        shown = " ".join(f"{name}={value}" for name, value in details.items())
        return f"<{type(self).__name__} at {id(self):#x} {shown}>"


def _checked(url: object) -> os.PathLike[str] | str:
    expected = "a path (str or os.PathLike) or a URL"
    if not isinstance(url, (str, os.PathLike)) or not isinstance(os.fspath(url), str):
        validate.wrong_type("File", "url", url, expected)
    if not os.fspath(url):
        validate.wrong_value("File", "url", url, f"{expected} that is not empty")
    return url


publish(globals(), "parsl.data_provider.files")
