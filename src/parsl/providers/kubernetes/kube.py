"""The provider for Kubernetes."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import Any

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.commands import python_command
from parsl.common.notices import warn_user
from parsl.common.parameter_names import refuses_unknown_names
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.base import ExecutionProvider
from parsl.providers.batch.job_script import fill_template, template_next_to
from parsl.providers.batch.parameters import parse_walltime
from parsl.providers.job_files import open_script_dir, reserve_job_files
from parsl.providers.kubernetes import parameters
from parsl.providers.kubernetes.access import check_access, driver_reference, findings
from parsl.providers.kubernetes.blocks import Blocks
from parsl.providers.kubernetes.cluster import Cluster
from parsl.providers.kubernetes.credentials import INSTALL, absolute_files, make_client
from parsl.providers.kubernetes.failures import advice_about
from parsl.providers.kubernetes.manifests import (
    BlockNames,
    PodSettings,
    job_manifest,
    plain_name,
    secret_manifest,
    service_manifest,
)
from parsl.providers.kubernetes.overrides import Conflict
from parsl.providers.kubernetes.runs import listed, sweep_run
from parsl.providers.kubernetes.watch import Watch
from parsl.providers.machines.cloud import Machine
from parsl.vocabulary.findings import Finding, with_advice
from parsl.vocabulary.job_states import JobState, JobStatus
from parsl.vocabulary.provider_errors import SubmitException

logger = logging.getLogger(__name__)

_PULL_POLICIES = (None, "Always", "IfNotPresent", "Never")


class QuotaWarning(UserWarning):
    """A quota of the namespace is used up, so blocks wait."""


class KubernetesProvider(ExecutionProvider, RepresentationMixin):
    """Runs each block as a Job in a cluster of containers: one pod for each of its nodes.

    The image needs bash and the same versions of Python and Parsl as the driver. Pods do not share the
    driver's files unless a volume is mounted at the same path; see ``shares_files``. They connect to the
    driver, whose address (``HighThroughputExecutor(address=...)``) they have to reach.

    The launch command contains keys, so it is in a Secret that the pods mount, and not in their description.
    Everything of a run has the label ``parsl-run``. A Job is never restarted, and it is removed some time
    after its end, together with its Secret. Any thread may call the methods.

    Args:
        image: The container image of the workers.
        namespace: The namespace of everything that this provider creates.
        nodes_per_block: Pods of one block. With several, each has a stable name: PARSL_NODE_NAMES lists
            them, and PARSL_NODE_RANK is the number of the pod.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        max_cpu: The limit of CPUs of a pod.
        max_mem: The limit of memory of a pod, such as "4Gi".
        init_cpu: The CPUs that a pod requests, by which the cluster chooses a node.
        init_mem: The memory that a pod requests.
        extra_requests: Amounts of other resources that a pod requests.
        extra_limits: The limits of other resources.
        parallelism: Slots to provide for each task, from 0 to 1.
        worker_init: Shell text to run first.
        pod_name: The beginning of the names of Jobs and pods; the name of the run if not given.
        user_id: The number of the user that the pods run as.
        group_id: The number of the group.
        run_as_non_root: Refuse an image that would run as root.
        secret: The Secret with the credentials of the registry of the image.
        persistent_volumes: Pairs of a PersistentVolumeClaim and the path where to mount it.
        service_account_name: The service account of the pods.
        annotations: Annotations of the pods.
        labels: Further labels of Jobs and pods.
        node_selector: The labels that a node needs.
        tolerations: The taints of nodes to tolerate, as in a manifest.
        affinity: The affinity of the pods, as in a manifest.
        gpus: GPUs of each pod.
        gpu_resource: The name of the resource that GPUs are.
        ephemeral_storage: The request and limit of local disk of a pod, such as "10Gi".
        image_pull_secrets: Further Secrets with credentials of registries.
        image_pull_policy: Always, IfNotPresent or Never; None for the cluster's default.
        environment: Variables of the pods.
        secret_environment: Variables with the name of a Secret and of a key in it.
        environment_secrets: Secrets all of whose keys become variables.
        pod_overrides: Changes to the template of the pods, as a mapping with ``metadata`` and ``spec``, which
            are merged as by ``kubectl patch``. They come last; Parsl's own container is named "parsl".
        walltime: The time limit of a pod, as HH:MM:SS; None for no limit.
        ttl_s: How long a Job that has ended is kept, in seconds, unless the run ends before; at least 30, so
            that its end is seen.
        termination_grace_s: How long a pod may take to end, in seconds.
        kubeconfig: The file with the credentials; None for those of kubectl or of the driver's pod.
        context: The context in that file.
        shares_files: Whether the pods see the run directory at the same path as the driver.
        price_per_hour: What a pod costs per hour, for the estimate of ``parsl doctor``.
    """

    image = validate.Text(allow_empty=False, one_line=True)
    namespace = validate.Text(allow_empty=False, one_line=True)
    worker_init = validate.Text()
    max_cpu = validate.Number(above=0)
    init_cpu = validate.Number(above=0)
    max_mem = validate.Custom(parameters.required_quantity)
    init_mem = validate.Custom(parameters.required_quantity)
    extra_requests = validate.Custom(parameters.amounts)
    extra_limits = validate.Custom(parameters.amounts)
    pod_name = validate.Text(optional=True, allow_empty=False, one_line=True)
    user_id = validate.Custom(parameters.user_number)
    group_id = validate.Custom(parameters.user_number)
    run_as_non_root = validate.Boolean()
    secret = validate.Text(optional=True, allow_empty=False, one_line=True)
    persistent_volumes = validate.Custom(parameters.volumes)
    service_account_name = validate.Text(optional=True, allow_empty=False, one_line=True)
    annotations = validate.Custom(parameters.texts)
    labels = validate.Custom(parameters.labels)
    node_selector = validate.Custom(parameters.texts)
    tolerations = validate.Custom(parameters.mappings)
    affinity = validate.Custom(parameters.mapping)
    gpus = validate.Integer(low=0)
    gpu_resource = validate.Text(allow_empty=False, one_line=True)
    ephemeral_storage = validate.Custom(parameters.quantity, optional=True)
    image_pull_secrets = validate.Custom(parameters.names)
    image_pull_policy = validate.Choice(_PULL_POLICIES)
    environment = validate.Custom(parameters.texts)
    secret_environment = validate.Custom(parameters.secret_keys)
    environment_secrets = validate.Custom(parameters.names)
    pod_overrides = validate.Custom(parameters.template)
    ttl_s = validate.Integer(low=30)
    termination_grace_s = validate.Integer(low=0)
    kubeconfig = validate.Text(optional=True, allow_empty=False, one_line=True)
    context = validate.Text(optional=True, allow_empty=False, one_line=True)
    shares_files = validate.Boolean()
    price_per_hour = validate.Number(low=0, optional=True)

    #: What the price is the price of, for messages.
    billed_unit = "pod"
    #: What starts the managers in each pod.
    launcher: Launcher = SingleNodeLauncher()

    @refuses_unknown_names
    def __init__(
        self,
        image: str,
        namespace: str = "default",
        nodes_per_block: int = 1,
        init_blocks: int = 4,
        min_blocks: int = 0,
        max_blocks: int = 10,
        max_cpu: float = 2,
        max_mem: str = "500Mi",
        init_cpu: float = 1,
        init_mem: str = "250Mi",
        extra_requests: Mapping[str, str] | None = None,
        extra_limits: Mapping[str, str] | None = None,
        parallelism: float = 1,
        worker_init: str = "",
        pod_name: str | None = None,
        user_id: str | int | None = None,
        group_id: str | int | None = None,
        run_as_non_root: bool = False,
        secret: str | None = None,
        persistent_volumes: Sequence[tuple[str, str]] = (),
        service_account_name: str | None = None,
        annotations: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        node_selector: Mapping[str, str] | None = None,
        tolerations: Sequence[Mapping[str, Any]] | None = None,
        affinity: Mapping[str, Any] | None = None,
        gpus: int = 0,
        gpu_resource: str = "nvidia.com/gpu",
        ephemeral_storage: str | None = None,
        image_pull_secrets: Sequence[str] | None = None,
        image_pull_policy: str | None = None,
        environment: Mapping[str, str] | None = None,
        secret_environment: Mapping[str, tuple[str, str]] | None = None,
        environment_secrets: Sequence[str] | None = None,
        pod_overrides: Mapping[str, Any] | None = None,
        walltime: str | None = None,
        ttl_s: int = 600,
        termination_grace_s: int = 30,
        kubeconfig: str | None = None,
        context: str | None = None,
        shares_files: bool = False,
        price_per_hour: float | None = None,
    ) -> None:
        if importlib.util.find_spec("kubernetes") is None:
            raise OptionalModuleMissing(["kubernetes"], INSTALL)
        validate.assign(self, locals())
        self._check_block_limits()
        self.walltime = walltime
        #: The time limit of a block, in seconds; None without one.
        self.walltime_s = None if walltime is None else parse_walltime(self, walltime)
        self._numbers = count()
        self._blocks: Blocks | None = None
        self._watch: Watch | None = None
        self._parent: dict[str, Any] | None = None
        #: The user's kubeconfig, also after a change of the directory.
        self._own_files = None if self.kubeconfig is None else absolute_files(self.kubeconfig)
        self.resources = {}
        self._manifest(BlockNames("parsl-check", "check", self.nodes_per_block))

    @property
    def label(self) -> str:
        return "kubernetes"

    def has_changed(self, job_ids: Sequence[object]) -> bool:
        """Return whether the thread that watches the blocks has seen a change since the last call."""
        return self._blocks is not None and self._blocks.take_change()

    @property
    def status_polling_interval(self) -> int:
        return 60

    @property
    def has_leftovers(self) -> bool:
        return self._blocks is not None and self._blocks.has_leftovers

    def prepare(self, run: str) -> None:
        """Connect to the cluster, and check that it would accept a block.

        Args:
            run: The name of the run, for the label ``parsl-run``.

        Raises:
            ConfigurationError: The credentials, the namespace, the rights or the pods are not accepted.
        """
        cluster = self._cluster()
        run = plain_name(run)
        names = BlockNames(f"{run}-check", run, self.nodes_per_block)
        if problem := check_access(cluster, self._manifest(names)):
            warn_user(f"KubernetesProvider: blocks will wait. {problem}", QuotaWarning)
        self._parent = driver_reference(cluster)
        self._blocks = Blocks(cluster, run, time.monotonic)
        self._watch = Watch(self._look)

    def submit(self, cmd_string: str, tasks_per_node: int, job_name: str = "parsl.kube") -> str:
        """Create the Job of a block, and return its name without waiting for its pods.

        Raises:
            SubmitException: The cluster did not accept the Job; or not now, unless ``is_permanent``.
        """
        blocks = self._ready()
        directory = open_script_dir(self.script_dir)
        prefix = plain_name(f"{self.pod_name}-{blocks.run[-6:]}") if self.pod_name else blocks.run
        files = reserve_job_files(directory, prefix, self._numbers)
        job = files.name.replace(".", "-")
        names = BlockNames(job, blocks.run, self.nodes_per_block, self._parent)
        script, manifest = self._script(names, cmd_string, tasks_per_node), self._manifest(names)
        files.write(".sh", script)
        files.write(".json", json.dumps(manifest, indent=2))
        self._create(blocks.cluster, names, manifest, script)
        status = blocks.add(names, files).status()
        self._note_job(names.job, files, status)
        logger.info("Job %s runs %s in namespace %s", names.job, files.script_path, self.namespace)
        if self._watch is not None:
            self._watch.begin()
        return names.job

    def preview(self, command: str, tasks_per_node: int = 1, job_name: str = "parsl.kube") -> dict[str, str]:
        """Return what ``submit`` would create, without the script, and without a request to the cluster.

        Args:
            command: The command to run on the nodes.
            tasks_per_node: How many copies of the command to start on each node.
            job_name: Ignored; the Job is named after the run.

        Returns:
            The manifest of the Job, by the path of the file that ``submit`` writes.
        """
        manifest = self._manifest(BlockNames("parsl-run-0", "parsl-run", self.nodes_per_block))
        directory = os.path.abspath(self.script_dir or "runinfo/000/submit_scripts")
        return {os.path.join(directory, "parsl-run.0.json"): json.dumps(manifest, indent=2)}

    def status(self, job_ids: Sequence[object]) -> list[JobStatus]:
        """Query the cluster about blocks, except those that are known to have ended.

        A block of which a pod was deleted or evicted is CANCELLED. One that cannot be scheduled, or whose
        image cannot be pulled, is HELD or FAILED, with the reason of the scheduler or of the node.
        """
        problem = None
        if self._blocks is not None and (job_ids or self.has_leftovers):
            try:
                self._blocks.observe()
            except ServiceError as error:
                problem = str(error)
        statuses = [self._status(job_id, problem) for job_id in job_ids]
        self._note_statuses(job_ids, statuses)
        return statuses

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """Delete the Jobs of blocks with their pods; True also for those that have ended."""
        if self._blocks is None:
            return [False for _ in job_ids]
        known = {job_id: self._blocks.find(job_id) for job_id in job_ids}
        accepted = self._blocks.cancel([block for block in known.values() if block is not None])
        return [accepted.get(job_id, known[job_id] is not None) for job_id in job_ids]

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        return self.cleanup_commands() if job_ids else []

    def cleanup_commands(self) -> list[list[str]]:
        if self._blocks is None:
            return []
        command = [*python_command("parsl.providers.kubernetes.sweep"), "--namespace", self.namespace]
        command += ["--run", self._blocks.run]
        files = absolute_files(self._own_files)
        for name, value in (("--kubeconfig", files), ("--context", self.context)):
            command += [name, value] if value is not None else []
        return [command]

    def close(self) -> None:
        """Delete every Job of this provider in this run, also one whose creation seemed to have failed."""
        blocks = self._blocks
        if blocks is None:
            return
        if self._watch is not None:
            self._watch.stop()
        deleted, problems = blocks.delete_all()
        for problem in problems:
            logger.error("Jobs with the label parsl-run=%s may be left: %s", blocks.run, problem)
        logger.debug("Deleted Jobs %s", deleted)

    @cached_property
    def place(self) -> str:
        """Where the blocks are, for messages."""
        try:
            where = self._cluster().host
        except ConfigurationError:
            where = self.context or "current context"
        return f"Kubernetes {where} {self.namespace}"

    def machines(self, run: str | None = None) -> list[Machine]:
        """Return the pods, and the Jobs without pods, that Parsl has created and that have not ended.

        Args:
            run: The value of their label ``parsl-run``; None for those of all runs in the namespace.

        Raises:
            ConfigurationError: The credentials cannot be used.
            ServiceError: The cluster does not answer.
            ValueError: The name of the run is empty.
        """
        return listed(self._cluster(), run)

    def sweep(self, run: str) -> tuple[list[str], list[str]]:
        """Delete the Jobs of a run; return their names, and what is still there.

        Raises:
            ConfigurationError: The credentials cannot be used.
            ServiceError: The cluster does not answer, or refuses.
            ValueError: The name of the run is empty.
        """
        return sweep_run(self._cluster(), run)

    def check(self) -> list[Finding]:
        """Check credentials, rights, namespace and pods, without creating anything."""
        names = BlockNames("parsl-check", "check", self.nodes_per_block)
        return findings(self._cluster, self._manifest(names))

    def hourly_cost(self) -> float | None:
        """Return what ``max_blocks``, or ``init_blocks`` if more, cost in an hour; None without a price."""
        if self.price_per_hour is None:
            return None
        return self.price_per_hour * max(self.init_blocks, self.max_blocks) * self.nodes_per_block

    def _cluster(self) -> Cluster:
        return Cluster(make_client(self._own_files, self.context), self.namespace)

    def _ready(self) -> Blocks:
        if self._blocks is None:  # a program without an executor
            self.prepare(f"run-{os.urandom(4).hex()}")
        assert self._blocks is not None
        return self._blocks

    def _status(self, job_id: object, problem: str | None) -> JobStatus:
        block = None if self._blocks is None else self._blocks.find(job_id)
        if block is None:
            return JobStatus(JobState.MISSING, f"block {job_id!r} was not started by this provider")
        if problem is not None and not block.verdict.is_end:
            return JobStatus(JobState.UNKNOWN, problem)
        return block.status()

    def _look(self) -> bool:
        """Observe the blocks, report those that have ended, and return whether there are others."""
        blocks = self._blocks
        assert blocks is not None
        blocks.observe()
        for block in blocks.take_ended():
            if self.on_job_end is not None:
                self.on_job_end(block.names.job)
        return bool(blocks.live())

    def _create(self, cluster: Cluster, names: BlockNames, manifest: dict[str, Any], script: str) -> None:
        try:
            # The Secret refers to the Job, which therefore comes first; its pod waits for the Secret.
            uid = cluster.create_job(manifest)["metadata"]["uid"]
            cluster.create_secret(secret_manifest(names, uid, script))
            if names.nodes > 1:
                cluster.create_service(service_manifest(names, uid))
        except ServiceError as error:
            self._undo(cluster, names, error)
            advice = advice_about(error, self.namespace)
            message = with_advice(str(error), advice)
            raise SubmitException(names.job, message, is_permanent=error.kind.is_lasting) from error

    def _undo(self, cluster: Cluster, names: BlockNames, error: ServiceError) -> None:
        if error.request == "create Job" and error.kind is not FailureKind.TRANSIENT:
            return  # refused, so there is nothing to delete
        try:
            cluster.delete_job(names.job)
        except ServiceError as second:
            logger.warning("Job %s may be left until the end of the run: %s", names.job, second)

    def _script(self, names: BlockNames, command: str, tasks_per_node: int) -> str:
        values = {
            "job_name": shlex.quote(names.job),
            "node_names": shlex.quote(" ".join(names.node_names)),
            "walltime_s": None if self.walltime_s is None else str(self.walltime_s),
            "worker_init": self.worker_init,
            "launch": self.launcher(command, tasks_per_node, 1),
        }
        return fill_template(template_next_to(__file__, "block.sh"), values)

    def _manifest(self, names: BlockNames) -> dict[str, Any]:
        try:
            return job_manifest(self._pod_settings(), names)
        except Conflict as conflict:
            raise ConfigurationError(f"KubernetesProvider: pod_overrides: {conflict}") from conflict

    def _pod_settings(self) -> PodSettings:
        own = {} if self.ephemeral_storage is None else {"ephemeral-storage": self.ephemeral_storage}
        gpus = {self.gpu_resource: str(self.gpus)} if self.gpus else {}
        requests = {"cpu": f"{self.init_cpu:g}", "memory": self.init_mem, **own, **self.extra_requests}
        limits = {"cpu": f"{self.max_cpu:g}", "memory": self.max_mem, **own, **gpus, **self.extra_limits}
        return PodSettings(
            image=self.image,
            requests=requests,
            limits=limits,
            user_id=self.user_id,
            group_id=self.group_id,
            run_as_non_root=self.run_as_non_root,
            pull_secrets=[*([self.secret] if self.secret else ()), *self.image_pull_secrets],
            pull_policy=self.image_pull_policy,
            persistent_volumes=self.persistent_volumes,
            service_account_name=self.service_account_name,
            annotations=self.annotations,
            labels=self.labels,
            node_selector=self.node_selector,
            tolerations=self.tolerations,
            affinity=self.affinity,
            environment=self.environment,
            secret_environment=self.secret_environment,
            environment_secrets=self.environment_secrets,
            overrides=self.pod_overrides,
            walltime_s=self.walltime_s,
            termination_grace_s=self.termination_grace_s,
            ttl_s=self.ttl_s,
        )


pass_on_upstream_names(__name__)
