"""Providers, which submit blocks to schedulers. Each provider is imported when it is first used."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.providers.condor.condor import CondorProvider
    from parsl.providers.grid_engine.grid_engine import GridEngineProvider
    from parsl.providers.local.local import LocalProvider
    from parsl.providers.lsf.lsf import LSFProvider
    from parsl.providers.pbspro.pbspro import PBSProProvider
    from parsl.providers.slurm.slurm import SlurmProvider
    from parsl.providers.torque.torque import TorqueProvider

__all__ = [
    "CondorProvider",
    "GridEngineProvider",
    "LSFProvider",
    "LocalProvider",
    "PBSProProvider",
    "SlurmProvider",
    "TorqueProvider",
]

_MODULES = {
    "CondorProvider": "parsl.providers.condor.condor",
    "GridEngineProvider": "parsl.providers.grid_engine.grid_engine",
    "LSFProvider": "parsl.providers.lsf.lsf",
    "LocalProvider": "parsl.providers.local.local",
    "PBSProProvider": "parsl.providers.pbspro.pbspro",
    "SlurmProvider": "parsl.providers.slurm.slurm",
    "TorqueProvider": "parsl.providers.torque.torque",
}


def __getattr__(name: str) -> object:
    module_name = _MODULES.get(name)
    if module_name is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    provider = getattr(import_module(module_name), name)
    globals()[name] = provider
    return provider


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
