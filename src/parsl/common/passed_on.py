"""Names at second paths: modules of upstream import them, so scripts can import them from there too.

Public code has ``from parsl.dataflow.futures import Future``, ``from parsl.config import ConfigurationError``
and many more like them. Nothing in this package needs these paths. A module with a row in this table ends
with ``pass_on_upstream_names(__name__)``: the table and a name are imported only when a script needs them.
"""

from __future__ import annotations

from importlib import import_module

#: The names that each module passes on.
_PASSED_ON = {
    "parsl.app.app": "AppFuture DataFlowKernel",
    "parsl.app.bash": "DataFlowKernelLoader File wrap_error",
    "parsl.app.errors": "File ParslError",
    "parsl.app.futures": "File Future",
    "parsl.app.python": "AutoCancelTimer DataFlowKernelLoader wrap_error",
    "parsl.config": (
        "ConfigurationError DependencyResolver LogConfig Memoizer ParslExecutor RepresentationMixin "
        "TaskRecord ThreadPoolExecutor UsageInformation"
    ),
    "parsl.data_provider.data_manager": (
        "FTPSeparateTaskStaging File HTTPSeparateTaskStaging NoOpFileStaging Staging ZipFileStaging "
        "default_staging"
    ),
    "parsl.data_provider.staging": "DataFuture File",
    "parsl.dataflow.dflow": (
        "BasicMemoizer BlockProviderExecutor DataFlowKernelLoader DataFuture DependencyError File "
        "FileLogging InternalConsistencyError JobStatusPoller JoinError LogConfig Memoizer ParslExecutor "
        "RemoteExceptionWrapper SHALLOW_DEPENDENCY_RESOLVER ThreadPoolExecutor UsageTracker "
        "get_std_fname_mode get_version wrap_with_logs"
    ),
    "parsl.dataflow.errors": "ParslError",
    "parsl.dataflow.futures": "DataFuture Future TaskRecord",
    "parsl.dataflow.memoization": "BadCheckpoint ConfigurationError TaskRecord Timer get_all_checkpoints",
    "parsl.executors.base": "LogConfig",
    "parsl.executors.high_throughput.executor": (
        "BadMessage DeserializationError JobState LocalProvider RemoteExceptionWrapper ScalingFailed "
        "SerializationError Staging TERMINAL_STATES deserialize get_all_addresses pack_apply_message "
        "wrap_with_logs"
    ),
    "parsl.executors.high_throughput.interchange": (
        "ManagerLost ManagerRecord ManagerSelector RemoteExceptionWrapper VersionMismatch"
    ),
    "parsl.executors.high_throughput.manager_selector": "ManagerRecord",
    "parsl.executors.high_throughput.mpi_executor": (
        "BlockProviderExecutor ExecutionProvider JobStatus SimpleLauncher Staging"
    ),
    "parsl.executors.status_handling": "AtomicIDCounter JobState ScalingFailed TERMINAL_STATES",
    "parsl.executors.threads": "Staging",
    "parsl.jobs.error_handlers": "JobState JobStatus TooManyJobFailuresError",
    "parsl.jobs.errors": "ParslError",
    "parsl.jobs.job_status_poller": "Strategy Timer",
    "parsl.jobs.strategy": (
        "BlockProviderExecutor HighThroughputExecutor ParslExecutor Strategy wrap_with_logs"
    ),
    "parsl.launchers.errors": "Launcher",
    "parsl.providers.base": "JobState",
    "parsl.providers.cluster_provider": "BadLauncher SchedulerMissingArgs execute_wait",
    "parsl.providers.condor.condor": "JobStatus ScaleOutFailed",
    "parsl.providers.errors": "ParslError",
    "parsl.providers.googlecloud.googlecloud": "JobState JobStatus",
    "parsl.providers.grid_engine.grid_engine": "JobStatus",
    "parsl.providers.local.local": "SchedulerMissingArgs ScriptPathError execute_wait",
    "parsl.providers.lsf.lsf": "JobStatus wtime_to_minutes",
    "parsl.providers.pbspro.pbspro": "JobState JobStatus SubmitException TorqueProvider",
    "parsl.providers.slurm.slurm": "JobStatus SubmitException wtime_to_minutes",
    "parsl.providers.torque.torque": "JobStatus",
    "parsl.utils": "BadStdStreamFile VERSION",
}

#: The modules that define them.
_HOMES = {
    "concurrent.futures": "Future",
    "parsl.addresses": "get_all_addresses",
    "parsl.app.errors": "BadStdStreamFile RemoteExceptionWrapper wrap_error",
    "parsl.app.futures": "DataFuture",
    "parsl.data_provider.file_noop": "NoOpFileStaging",
    "parsl.data_provider.files": "File",
    "parsl.data_provider.ftp": "FTPSeparateTaskStaging",
    "parsl.data_provider.http": "HTTPSeparateTaskStaging",
    "parsl.data_provider.stager": "default_staging",
    "parsl.data_provider.staging": "Staging",
    "parsl.data_provider.zip": "ZipFileStaging",
    "parsl.dataflow.dependency_resolvers": "DependencyResolver SHALLOW_DEPENDENCY_RESOLVER",
    "parsl.dataflow.dflow": "DataFlowKernel",
    "parsl.dataflow.errors": "BadCheckpoint DependencyError JoinError",
    "parsl.dataflow.futures": "AppFuture",
    "parsl.dataflow.loader": "DataFlowKernelLoader",
    "parsl.dataflow.memoization": "BasicMemoizer Memoizer",
    "parsl.dataflow.taskrecord": "TaskRecord",
    "parsl.errors": "ConfigurationError InternalConsistencyError ParslError",
    "parsl.executors.base": "ParslExecutor",
    "parsl.executors.errors": "BadMessage ScalingFailed",
    "parsl.executors.high_throughput.errors": "ManagerLost VersionMismatch",
    "parsl.executors.high_throughput.executor": "HighThroughputExecutor",
    "parsl.executors.high_throughput.manager_record": "ManagerRecord",
    "parsl.executors.high_throughput.manager_selector": "ManagerSelector",
    "parsl.executors.status_handling": "BlockProviderExecutor",
    "parsl.executors.threads": "ThreadPoolExecutor",
    "parsl.jobs.errors": "TooManyJobFailuresError",
    "parsl.jobs.job_status_poller": "JobStatusPoller",
    "parsl.jobs.states": "JobState JobStatus TERMINAL_STATES",
    "parsl.jobs.stepwise": "Strategy",
    "parsl.launchers.base": "Launcher",
    "parsl.launchers.errors": "BadLauncher",
    "parsl.launchers.launchers": "SimpleLauncher",
    "parsl.logconfigs.base": "LogConfig",
    "parsl.logconfigs.file": "FileLogging",
    "parsl.process_loggers": "wrap_with_logs",
    "parsl.providers.base": "ExecutionProvider",
    "parsl.providers.errors": "SchedulerMissingArgs ScaleOutFailed ScriptPathError SubmitException",
    "parsl.providers.local.local": "LocalProvider",
    "parsl.providers.torque.torque": "TorqueProvider",
    "parsl.serialize.errors": "DeserializationError SerializationError",
    "parsl.serialize.facade": "deserialize pack_apply_message",
    "parsl.usage_tracking.api": "UsageInformation",
    "parsl.usage_tracking.usage": "UsageTracker",
    "parsl.utils": (
        "AtomicIDCounter AutoCancelTimer RepresentationMixin Timer execute_wait get_all_checkpoints "
        "get_std_fname_mode get_version wtime_to_minutes"
    ),
    "parsl.version": "VERSION",
}


def find(module: str, name: str) -> object:
    """Return what ``module`` passes on under a name.

    Raises:
        AttributeError: It passes on no such name.
    """
    if name in _PASSED_ON[module].split():
        for home, names in _HOMES.items():
            if name in names.split():
                return getattr(import_module(home), name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def pairs() -> list[tuple[str, str]]:
    """Return each module with a row here, and each name that it passes on."""
    return [(module, name) for module, names in _PASSED_ON.items() for name in names.split()]
