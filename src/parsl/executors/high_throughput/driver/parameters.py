"""Parameters of the executors: what they may be, and arguments of earlier versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from parsl import validate
from parsl.common.parameter_names import Retired, accepts_retired, renamed
from parsl.executors.base import check_radio, check_storage_access
from parsl.executors.high_throughput.manager_selector import ManagerSelector
from parsl.executors.high_throughput.node.accelerators import check_accelerators
from parsl.executors.high_throughput.node.cpu_list import check_cpu_affinity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ParamSpec

    from typing_extensions import TypedDict

    from parsl.executors.status_handling import BlockProviderExecutor
    from parsl.vocabulary.job_states import JobStatus

    P = ParamSpec("P")

    class InheritedOptions(TypedDict, total=False):
        """The types of the arguments that other executors pass on to a HighThroughputExecutor."""

        launch_cmd: str | None
        interchange_launch_cmd: Sequence[str] | None
        address: str | None
        loopback_address: str
        worker_port: int | None
        worker_port_range: tuple[int, int] | None
        interchange_port_range: tuple[int, int] | None
        storage_access: list[Any] | None
        working_dir: str | None
        worker_debug: bool
        prefetch_capacity: int
        heartbeat_threshold: int
        heartbeat_period: int
        drain_period: int | None
        poll_period: int
        address_probe_timeout: int | None
        worker_logdir_root: str | None
        block_error_handler: bool | Callable[[BlockProviderExecutor, dict[str, JobStatus]], None]
        remote_monitoring_radio: Any


#: Highest prefetch_capacity: more than any queue of tasks, and small enough for the wire format.
MAX_PREFETCH = 1_000_000_000


def check_provider(owner: object, provider: object) -> None:
    """Refuse an object without the methods of a provider."""
    methods = [getattr(provider, method, None) for method in ("submit", "status", "cancel")]
    if not all(map(callable, methods)) or isinstance(provider, type):
        validate.wrong_type(owner, "provider", provider, "a provider, such as LocalProvider()")


def check_label(owner: object, name: str, label: Any) -> str:
    """Refuse a label that cannot be the name of a directory."""
    text = validate.text(owner, name, label, allow_empty=False, one_line=True)
    if "/" in text or text in (".", ".."):
        validate.wrong_value(owner, name, label, "a name that can be a directory's: without '/'")
    return text


def check_max_workers(owner: object, name: str, value: Any) -> int | None:
    """Check an optional positive integer; infinity, as None, stands for as many workers as fit."""
    if value is None or value == float("inf"):
        return None
    return validate.integer(owner, name, value, low=1)


class DeclaredParameters:
    """What each parameter of a HighThroughputExecutor may be."""

    label = validate.Custom(check_label)
    launch_cmd = validate.Text(allow_empty=False)
    interchange_launch_cmd: list[str] = validate.ListOf(str, allow_empty=False)
    address = validate.Text(optional=True, allow_empty=False, one_line=True)
    loopback_address = validate.Text(allow_empty=False)
    worker_port = validate.Port(optional=True)
    worker_port_range = validate.PortRange(optional=True)
    interchange_port_range = validate.PortRange(optional=True)
    storage_access = validate.Custom(check_storage_access)
    working_dir = validate.Text(optional=True, allow_empty=False)
    worker_debug = validate.Boolean()
    cores_per_worker = validate.Number(above=0)
    mem_per_worker = validate.Number(above=0, optional=True)
    max_workers_per_node = validate.Custom(check_max_workers)
    cpu_affinity = validate.Custom(lambda owner, _, value: check_cpu_affinity(value, owner))
    available_accelerators = validate.Custom(lambda owner, _, value: list(check_accelerators(value, owner)))
    prefetch_capacity = validate.Integer(low=0, high=MAX_PREFETCH)
    heartbeat_threshold = validate.Number(above=0)
    heartbeat_period = validate.Number(above=0)
    drain_period = validate.Number(above=0, optional=True)
    poll_period = validate.Number(above=0)
    address_probe_timeout = validate.Number(above=0, optional=True)
    worker_logdir_root = validate.Text(optional=True, allow_empty=False)
    manager_selector: ManagerSelector = validate.Instance(ManagerSelector)
    encrypted = validate.Boolean()
    remote_monitoring_radio = validate.Custom(check_radio)
    enforce_mem_per_worker = validate.Boolean()


def inherits_parameters(
    base: Callable[..., None], replaced: Mapping[str, str | None]
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Give an ``__init__`` with ``**options`` the signature of another one, with some differences.

    A parameter in `replaced` gives way to the named one of the decorated ``__init__``, or is left out if that
    is None. Other parameters of the decorated ``__init__`` override those of the same name, or come last.
    """
    from inspect import Parameter, Signature, signature

    def decorate(init: Callable[P, None]) -> Callable[P, None]:
        own = signature(init).parameters
        parameters = []
        for parameter in signature(base).parameters.values():
            name = replaced.get(parameter.name, parameter.name)
            if name is not None:
                parameters.append(own.get(name, parameter).replace(kind=Parameter.POSITIONAL_OR_KEYWORD))
        known = {parameter.name for parameter in parameters}
        keywords = [parameter for parameter in own.values() if parameter.kind is Parameter.KEYWORD_ONLY]
        parameters += [parameter for parameter in keywords if parameter.name not in known]
        derived = Signature(parameters)

        @wraps(init)
        def binding(*args: P.args, **kwargs: P.kwargs) -> None:
            call: Callable[..., None] = init
            call(**derived.bind(*args, **kwargs).arguments)

        binding.__signature__ = derived  # type: ignore[attr-defined]
        return binding

    return decorate


def _no_mpi_mode(enable_mpi_mode: bool) -> None:
    if enable_mpi_mode:
        raise ValueError("write MPIExecutor(mpi_launcher=..., max_workers_per_block=...) instead")


def _fork_only(start_method: str) -> None:
    if start_method == "thread":
        raise ValueError("workers are processes; leave it out")


_WORKER_PORTS = Retired(
    "write worker_port instead, the first of the two", "worker_port", lambda ports: ports and ports[0]
)

accepts_retired_htex_arguments = accepts_retired(
    max_workers=renamed("max_workers_per_node"),
    worker_ports=_WORKER_PORTS,
    start_method=Retired("leave it out; a fork server starts the workers", convert=_fork_only),
    managed=Retired("leave it out; write strategy='none' in the Config for blocks that are not scaled"),
    enable_mpi_mode=Retired("leave it out; MPIExecutor is for MPI", convert=_no_mpi_mode),
    mpi_launcher=Retired("leave it out, or write MPIExecutor(mpi_launcher=...)"),
)

accepts_retired_mpi_arguments = accepts_retired(
    max_workers=renamed("max_workers_per_block"),
    max_workers_per_node=renamed("max_workers_per_block"),
    worker_ports=_WORKER_PORTS,
    enable_mpi_mode=Retired("leave it out; an MPIExecutor is always in that mode"),
)
