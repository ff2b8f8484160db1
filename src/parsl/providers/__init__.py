"""Providers, which submit blocks to schedulers. Each provider is imported when it is first used."""

from __future__ import annotations

from parsl.common import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.providers.aws.aws import AWSProvider as AWSProvider
    from parsl.providers.azure.azure import AzureProvider as AzureProvider
    from parsl.providers.condor.condor import CondorProvider as CondorProvider
    from parsl.providers.googlecloud.googlecloud import GoogleCloudProvider as GoogleCloudProvider
    from parsl.providers.grid_engine.grid_engine import GridEngineProvider as GridEngineProvider
    from parsl.providers.kubernetes.kube import KubernetesProvider as KubernetesProvider
    from parsl.providers.local.local import LocalProvider as LocalProvider
    from parsl.providers.lsf.lsf import LSFProvider as LSFProvider
    from parsl.providers.pbspro.pbspro import PBSProProvider as PBSProProvider
    from parsl.providers.slurm.slurm import SlurmProvider as SlurmProvider
    from parsl.providers.torque.torque import TorqueProvider as TorqueProvider

_MODULES = {
    "AWSProvider": "parsl.providers.aws.aws",
    "AzureProvider": "parsl.providers.azure.azure",
    "CondorProvider": "parsl.providers.condor.condor",
    "GoogleCloudProvider": "parsl.providers.googlecloud.googlecloud",
    "GridEngineProvider": "parsl.providers.grid_engine.grid_engine",
    "KubernetesProvider": "parsl.providers.kubernetes.kube",
    "LSFProvider": "parsl.providers.lsf.lsf",
    "LocalProvider": "parsl.providers.local.local",
    "PBSProProvider": "parsl.providers.pbspro.pbspro",
    "SlurmProvider": "parsl.providers.slurm.slurm",
    "TorqueProvider": "parsl.providers.torque.torque",
}
#: Classes that scripts import, often without using them, and the advice for a script that does.
_REFUSED = {
    "AdHocProvider": "has been retired: it started managers on hosts without a scheduler. Write a "
    "HighThroughputExecutor for each host, with provider=LocalProvider() and launch_cmd='ssh HOST ' + "
    "DEFAULT_LAUNCH_CMD, which is in parsl.executors.high_throughput.executor",
    "CobaltProvider": "has been retired: ALCF's machines have PBS Pro now. Write PBSProProvider(...), or a "
    "function of parsl.configs, such as aurora()",
}
__all__ = list(_MODULES)
__getattr__, __dir__ = lazy_names(__name__, _MODULES, _REFUSED)
