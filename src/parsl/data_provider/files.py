"""Files that apps read and write."""

from __future__ import annotations

from parsl.vocabulary.files import File

__all__ = ["File"]
