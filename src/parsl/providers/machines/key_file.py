"""Files with credentials: their full paths, and who can read them."""

from __future__ import annotations

import os

from parsl.vocabulary.findings import Finding, Topic

_CREDENTIALS = Topic("credentials")
_OTHERS_CAN_READ = 0o044


def full_path(path: str | None) -> str | None:
    """Return the full path of a key file, also for a process in another directory; None if there is none.

    Args:
        path: The parameter of a provider, which may begin with ``~`` or be relative.
    """
    return None if path is None else os.path.abspath(os.path.expanduser(path))


def key_file_findings(path: str | None) -> list[Finding]:
    """Return a warning if others can read a key file; a file that cannot be found is an error elsewhere.

    Args:
        path: The full path; None if there is no key file.
    """
    try:
        is_open = path is not None and bool(os.stat(path).st_mode & _OTHERS_CAN_READ)
    except OSError:
        return []
    text = f"other users of this host can read the secrets in {path!r}."
    return [_CREDENTIALS.warning(text, f"Run 'chmod 600 {path}'.")] if is_open else []
