"""The public path of the data manager and of the default staging providers."""

from __future__ import annotations

from parsl.common import upstream_names
from parsl.data_provider.manager import DataManager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.data_provider.staging import Staging

    #: The staging providers of executors without ``storage_access``. Extend them for one executor by
    #: ``storage_access=default_staging + [...]``.
    default_staging: list[Staging]

__all__ = ["DataManager", "default_staging"]


_upstream_name = upstream_names(__name__)


def __getattr__(name: str) -> object:
    # Not with the import, because most runs stage no files.
    if name != "default_staging":
        return _upstream_name(name)
    from parsl.data_provider.stager import default_providers

    return default_providers()
