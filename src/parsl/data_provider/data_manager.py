"""The public path of the data manager and of the default staging providers."""

from __future__ import annotations

from parsl.data_provider.manager import DataManager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.data_provider.staging import Staging

    #: The staging providers of executors without ``storage_access``. Extend them for one executor by
    #: ``storage_access=default_staging + [...]``.
    default_staging: list[Staging]

__all__ = ["DataManager", "default_staging"]


def __getattr__(name: str) -> list[Staging]:
    # Not with the import, because most runs stage no files.
    if name != "default_staging":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from parsl.data_provider.stager import default_providers

    return default_providers()
