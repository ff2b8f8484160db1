"""The base class of providers that rent machines: everything but the calls of the service."""

from __future__ import annotations

import logging
import os
import re
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import count

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError
from parsl.launchers.base import check_launcher
from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.base import ExecutionProvider
from parsl.providers.batch.parameters import parse_walltime
from parsl.providers.machines.blocks import MachineBlock, MachineBlocks
from parsl.providers.machines.cloud import Cloud, Created, Machine, MachineSpec, Refused
from parsl.providers.machines.key_file import full_path, key_file_findings
from parsl.providers.machines.leftovers import Leftovers
from parsl.providers.machines.machine_hours import MachineHours
from parsl.providers.machines.state_file import SavedRun, SavedState, StateFile, state_file_findings
from parsl.providers.machines.sweep import (
    CERTAIN_LOOKS,
    check_run,
    cloud_at,
    live_machines,
    sweep,
    sweep_command,
)
from parsl.providers.machines.user_data import exit_code_on, user_data_script
from parsl.vocabulary.findings import WARNING, Finding, Topic, errors_of
from parsl.vocabulary.job_states import JobState, JobStatus
from parsl.vocabulary.provider_errors import SubmitException

logger = logging.getLogger(__name__)

_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_UNIQUE = re.compile(r"parsl-[a-z0-9-]{0,27}-[0-9a-f]{6}")
_MAX_RUN_CHARS = 33
_MAX_CONSOLE_CHARS = 2000
_LIMITS, _WORKER_INIT = Topic("limits"), Topic("worker_init")


def _check_walltime(owner: object, name: str, value: object) -> str:
    parse_walltime(owner, value)
    return value  # type: ignore[return-value]


def _tag_value(run: str) -> str:
    """Return the name of a run as a tag that no other run has; executors give names of this kind."""
    if _UNIQUE.fullmatch(run):
        return run
    plain = _NOT_PLAIN.sub("-", f"parsl-{run}".lower())[:_MAX_RUN_CHARS].strip("-")
    return f"{plain}-{os.urandom(3).hex()}"


class MachineProvider(ExecutionProvider, RepresentationMixin):
    """Runs each block on machines that it rents, one for each node, and that end by themselves.

    A machine runs ``worker_init`` and the managers as root when it has booted. It shuts itself down, which
    ends it for good, when the managers have exited and at its walltime, even if the driver is gone. All
    machines have the tag ``parsl-run``, by which they are found again at the end of the run.

    A subclass has a signature of its own, calls :meth:`configure`, and makes its :class:`Cloud`.
    The methods may be called from any thread, one at a time.
    """

    walltime: str = validate.Custom(_check_walltime)
    worker_init: str = validate.Text()
    launcher = validate.Custom(check_launcher)
    linger: bool = validate.Boolean()
    state_file: str | None = validate.Text(optional=True, allow_empty=False)
    max_machine_hours: float | None = validate.Number(above=0, optional=True)
    #: The price of one machine for an hour (US dollars), instead of the service's own list.
    price_per_hour: float | None = validate.Number(low=0, optional=True)

    #: What the price is the price of, for messages.
    billed_unit = "machine"
    #: The nodes have no shared file system with the driver.
    shares_files = False
    #: The maximum size of user data in bytes.
    max_user_data_bytes = 16384
    #: Returns seconds on a monotonic clock. Tests set another one on an instance.
    clock: Callable[[], float] = staticmethod(time.monotonic)
    #: So many looks in a row without any machine show that none is left, even if some were just created.
    certain_looks: int = CERTAIN_LOOKS
    #: Waits for a number of seconds.
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def configure(self, parameters: Mapping[str, object]) -> None:
        """Check the parameters of the constructor, and keep them as attributes; call this first.

        Args:
            parameters: The values by name: ``locals()``.
        """
        validate.assign(self, parameters)
        if self.init_blocks > self.max_blocks:
            expected = f"at most max_blocks, which is {self.max_blocks}, as it limits the cost"
            validate.wrong_value(self, "init_blocks", self.init_blocks, expected)
        self._check_block_limits()
        self.resources = {}
        self._walltime_s = parse_walltime(self, self.walltime)
        self._hours = MachineHours(self.max_machine_hours)
        self._file: StateFile | None = None
        self._earlier: list[SavedRun] = []
        self._last_problem = ""
        self._begin("manual")

    @abstractmethod
    def make_cloud(self) -> Cloud:
        """Return the calls of the service. SDKs are imported here.

        Raises:
            ConfigurationError: The SDK is not installed, or the credentials cannot be read.
        """

    @cached_property
    def cloud(self) -> Cloud:
        """The calls of the service."""
        return self.make_cloud()

    @property
    def status_polling_interval(self) -> int:
        return 30

    @property
    def has_leftovers(self) -> bool:
        return bool(self._leftovers)

    def _begin(self, run: str) -> None:
        #: The tag of the machines; two providers of one run have different ones.
        self.run = _tag_value(run)
        self._numbers = count()
        self._blocks = MachineBlocks()
        self._leftovers = Leftovers()

    def prepare(self, run: str) -> None:
        """Check the configuration with the service, and terminate what an earlier driver has left.

        Args:
            run: The name of the run.

        Raises:
            ConfigurationError: Credentials, region, image, permissions or quota do not allow any block.
        """
        self._begin(run)
        findings = self._service_findings()
        self._refuse(findings)
        for finding in findings:
            if finding.level == WARNING:
                logger.warning("%s: %s", type(self).__name__, finding)
        if self.state_file is not None:
            self._open_state_file(self.state_file)
        try:
            self._refuse(self._limit_findings())  # only now: the machines of earlier runs have been swept
        except ConfigurationError:
            self._close_state_file(has_ended=True)
            raise

    def _refuse(self, findings: list[Finding]) -> None:
        if errors := errors_of(findings):
            raise ConfigurationError(f"{type(self).__name__}: " + "\n".join(errors))

    def check(self) -> list[Finding]:
        """Check the configuration with the service; nothing is started.

        Returns:
            Findings, of which errors mean that no block could start.
        """
        return [*self._limit_findings(), *self._service_findings()]

    def _service_findings(self) -> list[Finding]:
        return [
            *state_file_findings(self.state_file),
            *key_file_findings(full_path(getattr(self, "key_file", None))),
            *self.cloud.check(),
        ]

    def _limit_findings(self) -> list[Finding]:
        """Return why no block could ever start: by the limit of hours, and by the size of its script."""
        found = []
        walltime_s, machines = self._walltime_s, self.nodes_per_block
        if MachineHours(self.max_machine_hours).refusal(machines, walltime_s):
            text = (
                f"max_machine_hours is {self.max_machine_hours:g}, but a block may need "
                f"{machines * walltime_s / 3600:g}: its machines ({machines}) until their walltime."
            )
            found.append(
                _LIMITS.error(text, "Raise max_machine_hours, or lower walltime or nodes_per_block.")
            )
        # Without the command of the managers, so what is too long here is too long for certain.
        script = user_data_script("", self.worker_init, "", walltime_s, lingers=self.linger)
        if problem := self._size_problem(script):
            found.append(_WORKER_INIT.error(problem))
        return found

    def _size_problem(self, script: str) -> str:
        if (size := len(script.encode(errors="surrogateescape"))) <= self.max_user_data_bytes:
            return ""
        return (
            f"the user data has {size} bytes, but {self.cloud.service} accepts at most "
            f"{self.max_user_data_bytes}: shorten worker_init, or put its steps into the image"
        )

    def hourly_cost(self) -> float | None:
        """Return what ``max_blocks`` blocks cost per hour, in US dollars; None if the price is unknown."""
        price = self.price_per_hour if self.price_per_hour is not None else self.cloud.price_per_hour()
        return None if price is None else price * self.nodes_per_block * self.max_blocks

    def _open_state_file(self, path: str) -> None:
        self._file = self._file or StateFile(path)
        saved = self._file.read()
        # They are swept again at the end: a machine that was created just before may not be listed yet.
        self._earlier = saved.runs
        for earlier in saved.runs:
            self._sweep_earlier(earlier, quiet_looks=2)
        self._hours = MachineHours(self.max_machine_hours, saved.machine_hours)
        self._save()

    def _sweep_earlier(self, earlier: SavedRun, quiet_looks: int) -> bool:
        """Terminate what a run of the state file has left, where it was; return whether nothing is left."""
        is_same = (earlier.module, earlier.address) == (type(self.cloud).__module__, self.cloud.address())
        try:
            cloud = self.cloud if is_same else cloud_at(earlier.module, earlier.address)
            terminated, left = sweep(cloud, earlier.name, quiet_looks=quiet_looks, sleep=self.sleep)
        except Exception as error:  # also of an SDK or of credentials that are no longer there
            logger.error(
                "%s: run %s in %s %s may have machines, which cost money. Parsl could not look: %s",
                self.state_file, earlier.name, earlier.module, earlier.address, error,
            )  # fmt: skip
            return False
        if terminated or left:
            logger.warning(
                "%s: an earlier run, %s, had left machines. Terminated: %s. Still running: %s",
                self.state_file, earlier.name, terminated, left,
            )  # fmt: skip
        return not left

    def _save(self, *, has_ended: bool = False) -> None:
        if self._file is None:
            return
        address, module = self.cloud.address(), type(self.cloud).__module__
        own = [] if has_ended else [SavedRun(self.run, module, address, self._blocks.saved())]
        # Machines of a driver that has died may run until their walltime, and so may those that linger.
        hours = (
            self._hours.used_h(self.clock()) if has_ended and not self.linger else self._hours.reserved_h()
        )
        state = SavedState([*self._earlier, *own], hours)
        try:
            self._file.write(state)
        except OSError as error:
            logger.error("The state file could not be written: %s", error)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.machines") -> str:
        """Create the machines of a block; return the name of the block, with which their names begin."""
        self._check_hours(job_name)
        block = f"{self.run}-{next(self._numbers)}"
        specs = self._specs(block, command, tasks_per_node, job_name)
        now_s = self.clock()
        self._hours.requested([spec.name for spec in specs], now_s, self._walltime_s)
        self._save()
        machine_ids = self._create(job_name, specs, now_s)
        self._blocks.add(block, machine_ids, now_s, self._walltime_s)
        self.resources[block] = {
            "job_id": block,
            "status": JobStatus(JobState.PENDING),
            "machines": machine_ids,
        }
        self._save()
        return block

    def _check_hours(self, job_name: str) -> None:
        refusal = self._hours.refusal(self.nodes_per_block, self._walltime_s)
        if refusal is not None:
            raise SubmitException(job_name, refusal, is_permanent=not self._hours.running)

    def _specs(self, block: str, command: str, tasks_per_node: int, job_name: str) -> list[MachineSpec]:
        # Each machine is a node by itself; the launcher is called for one node.
        launch = self.launcher(command, tasks_per_node, 1)
        specs = []
        for node in range(self.nodes_per_block):
            text = user_data_script(
                f"{block}-{node}", self.worker_init, launch, self._walltime_s, lingers=self.linger
            )
            if problem := self._size_problem(text):
                raise SubmitException(job_name, problem, is_permanent=True)
            specs.append(MachineSpec(self.run, block, node, text, self._walltime_s, self.machine_tags()))
        return specs

    def machine_tags(self) -> Mapping[str, str]:
        """Return the user's tags for machines."""
        return {}

    def _is_lasting(self, kind: FailureKind) -> bool:
        """Return whether a refusal is final: without running machines, waiting frees no quota of ours."""
        is_alone = self._hours.running <= len(self._leftovers)
        return kind.is_lasting or (kind is FailureKind.QUOTA and is_alone)

    def _create(self, job_name: str, specs: Sequence[MachineSpec], now_s: float) -> list[str]:
        """Create all machines of a block, or give up those that may have been created."""
        try:
            answers = self.cloud.create(specs)
        except BaseException as error:
            self._leftovers.add([spec.name for spec in specs], now_s)
            if not isinstance(error, ServiceError):
                raise
            raise SubmitException(job_name, str(error), is_permanent=self._is_lasting(error.kind)) from error
        machine_ids = [answer.machine_id for answer in answers if isinstance(answer, Created)]
        refusals = [answer for answer in answers if isinstance(answer, Refused)]
        if not refusals:
            return machine_ids
        for spec, answer in zip(specs, answers, strict=True):
            if isinstance(answer, Refused) and not answer.kind.is_retried:
                self._hours.ended([spec.name], now_s)
            else:
                self._leftovers.add([spec.name], now_s)
        if machine_ids:
            self._terminate(machine_ids)
        message = f"{self.cloud.service}: {refusals[0].message}"
        raise SubmitException(job_name, message, is_permanent=self._is_lasting(refusals[0].kind))

    def status(self, job_ids: Sequence[object]) -> list[JobStatus]:
        """Return the status of blocks, with one listing of the run's machines."""
        live = self._blocks.live(job_ids)
        answers = self._survey(live) if live or self.has_leftovers else {}
        statuses = [self._blocks.final(job_id) or answers[job_id] for job_id in job_ids]
        self._note_statuses(job_ids, statuses)
        return statuses

    def _survey(self, live: list[MachineBlock]) -> dict[object, JobStatus]:
        try:
            listed = {machine.machine_id: machine for machine in self.cloud.list_run(self.run)}
        except ServiceError as error:
            if str(error) != self._last_problem:
                logger.warning("%s: the status of blocks is unknown: %s", type(self).__name__, error)
            self._last_problem = str(error)
            return {block.name: JobStatus(JobState.UNKNOWN, str(error)) for block in live}
        self._last_problem = ""
        answers: dict[object, JobStatus] = {block.name: self._observe(block, listed) for block in live}
        now_s = self.clock()
        gone = self._leftovers.take_gone(listed.values(), now_s)
        self._hours.ended([*self._blocks.ended_names(listed), *gone], now_s)
        if orphans := self._blocks.orphans(listed):
            logger.warning("Terminating %s: the creation of their block has failed", orphans)
            self._terminate(orphans)
        if any(status.terminal for status in answers.values()):
            self._save()
        return answers

    def _observe(self, block: MachineBlock, listed: Mapping[str, Machine]) -> JobStatus:
        status = self._blocks.observe(block, listed, self.clock())
        if status.state is JobState.COMPLETED:
            status = block.final = self._with_console(status, block.machine_ids)
        return status

    def _with_console(self, status: JobStatus, machine_ids: list[str]) -> JobStatus:
        """Return the status of a block whose machines have shut themselves down: FAILED if a job has."""
        for machine_id in machine_ids:
            try:
                console = self.cloud.console_output(machine_id)
            except ServiceError as error:
                logger.info("There is no console output of %s: %s", machine_id, error)
                continue
            if code := exit_code_on(console):
                message = f"{status.message}. The end of its console:\n{console[-_MAX_CONSOLE_CHARS:]}"
                return JobStatus(JobState.FAILED, message, code)
        return status

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """Terminate the machines of blocks; with ``linger``, leave them up until their walltime.

        Returns:
            For each block, whether the service has accepted the request; False for an unknown block.
        """
        live = self._blocks.live(job_ids)
        machine_ids = [machine_id for block in live for machine_id in block.machine_ids]
        is_accepted = self.linger or not machine_ids or self._terminate(machine_ids)
        if is_accepted:
            self._blocks.cancelled(live, lingers=self.linger)
            self._save()
        refused = set() if is_accepted else {block.name for block in live}
        return [self._blocks.knows(job_id) and job_id not in refused for job_id in job_ids]

    def _terminate(self, machine_ids: list[str]) -> bool:
        try:
            self.cloud.terminate(machine_ids)
        except ServiceError as error:
            logger.error("Machines %s could not be terminated, Parsl tries again: %s", machine_ids, error)
            return False
        return True

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        """Return the command that terminates the run's machines; none without jobs or with ``linger``."""
        return self.cleanup_commands() if job_ids else []

    def cleanup_commands(self) -> list[list[str]]:
        """Return the command that terminates the run's machines; none with ``linger``."""
        return [] if self.linger else [sweep_command(self.cloud, self.run, self.certain_looks)]

    def close(self) -> None:
        """Terminate what is left of the run, which is normally nothing; with ``linger``, leave it up."""
        is_clean = self.linger or self._sweep_at_the_end()
        if is_clean and not self.linger:
            self._hours.all_ended(self.clock())
        if self._file is not None:
            self._earlier = [run for run in self._earlier if not self._sweep_earlier(run, quiet_looks=1)]
            self._close_state_file(has_ended=is_clean)

    def _close_state_file(self, *, has_ended: bool) -> None:
        if self._file is not None:
            self._save(has_ended=has_ended)
            self._file.close()
            self._file = None

    def _sweep_at_the_end(self) -> bool:
        """Terminate what is left; return whether nothing is."""
        command = f"parsl clouds sweep config.py {self.run}"
        try:
            looks = self.certain_looks if self._leftovers.has_fresh(self.clock()) else 1
            _, left = sweep(self.cloud, self.run, quiet_looks=looks, sleep=self.sleep)
        except ServiceError as error:
            logger.error("Machines may be left, which cost money. Run: %s. The reason: %s", command, error)
            return False
        if left:
            logger.error("These machines are still running, and cost money: %s. Run: %s", left, command)
        return not left

    def machines(self, run: str | None = None) -> list[Machine]:
        """Return the machines in the account that Parsl has created and that have not ended.

        Args:
            run: The value of their tag ``parsl-run``; None for those of all runs.

        Raises:
            ConfigurationError: The service cannot be reached, or the credentials or the region are wrong.
            ServiceError: The service does not answer.
            ValueError: The name of the run is empty.
        """
        if run is not None:
            check_run(run)
        self._refuse(self.cloud.check_access())
        listed = self.cloud.list_all_runs() if run is None else self.cloud.list_run(run)
        return live_machines(listed)

    def sweep(self, run: str) -> tuple[list[str], list[str]]:
        """Terminate all machines of a run.

        Args:
            run: The value of their tag ``parsl-run``.

        Returns:
            The machines that were terminated, and those that are still running.

        Raises:
            ServiceError: The service does not answer.
            ValueError: The name of the run is empty.
        """
        return sweep(self.cloud, run, quiet_looks=2, sleep=self.sleep)
