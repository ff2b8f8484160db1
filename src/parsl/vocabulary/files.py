"""Local and remote files by name."""

from __future__ import annotations

import os

from parsl import validate
from parsl.vocabulary import publish

#: A string without any of these characters is a local path, and needs no parsing.
_URL_CHARACTERS = ":?#;%[]"


class File:
    """A file that a task reads or writes: a local path or a URL.

    Attributes:
        url: The path or URL.
        scheme: The scheme, such as ``file`` (also for a plain path), ``http`` or ``globus``.
        netloc: The host, or its counterpart in other schemes.
        path: The path on that host.
        filename: The last part of the path.
        local_path: The path on the machine that uses the file, once staging has set it.

    Args:
        url: A path or a URL.

    Raises:
        ParameterError: The value is neither, or empty.
    """

    def __init__(self, url: os.PathLike[str] | str) -> None:
        expected = "a path (str or os.PathLike) or a URL"
        text = os.fspath(url) if isinstance(url, (str, os.PathLike)) else None
        if not isinstance(text, str):
            validate.wrong_type("File", "url", url, expected)
        if not text:
            validate.wrong_value("File", "url", url, f"{expected} that is not empty")
        self.url: str = text
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
        names = ["url", "scheme", "netloc", "path", "filename"]
        if self.local_path is not None:
            names.append("local_path")
        shown = " ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"<{type(self).__name__} at {id(self):#x} {shown}>"


publish(globals(), "parsl.data_provider.files")
