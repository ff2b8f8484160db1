"""The provider for Google's Compute Engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.parameter_names import refuses_unknown_names
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.batch.parameters import parse_walltime
from parsl.providers.googlecloud.client import VERSIONS, Access
from parsl.providers.googlecloud.compute import ComputeEngine
from parsl.providers.googlecloud.instance import (
    MAX_WALLTIME_S,
    MIN_WALLTIME_S,
    Fleet,
    InstanceSettings,
    wrong_label,
)
from parsl.providers.machines.key_file import full_path
from parsl.providers.machines.provider import MachineProvider
from parsl.providers.machines.tags import check_tags


def _check_labels(owner: object, name: str, value: object) -> dict[str, str]:
    labels = check_tags(owner, name, value)
    if problem := wrong_label(labels):
        validate.wrong_value(owner, name, value, f"labels that Google accepts: {problem}")
    return labels


def _check_walltime(owner: object, _name: str, value: object) -> str:
    if not MIN_WALLTIME_S <= parse_walltime(owner, value) <= MAX_WALLTIME_S:
        validate.wrong_value(owner, "walltime", value, "from 30 seconds to 120 days, which Google accepts")
    return str(value)


def _check_accelerators(owner: object, name: str, value: object) -> dict[str, int]:
    accelerators = dict(validate.instance(owner, name, value, Mapping, optional=True) or {})
    for kind, number in accelerators.items():
        validate.text(owner, f"{name}: a type", kind, allow_empty=False, one_line=True)
        accelerators[kind] = validate.integer(owner, f"{name}[{kind!r}]", number, low=1)
    return accelerators


def _check_endpoint(owner: object, name: str, value: object) -> str | None:
    endpoint = validate.text(owner, name, value, optional=True, one_line=True)
    if endpoint is not None and not re.match("https?://[^/]", endpoint):
        expected = "an address that begins with https:// or http://, as 'https://compute.googleapis.com'"
        validate.wrong_value(owner, name, value, expected)
    return endpoint


class GoogleCloudProvider(MachineProvider):
    """Runs each block on machines of Compute Engine, which end by themselves.

    The machines are deleted when their block is cancelled or has ended, at the end of the run, and by the
    service itself at their walltime. Each has the label ``parsl-run``. When a zone has no machine left, the
    next one of the region is tried.

    A program ``process_worker_pool.py`` has to be on the PATH of the image after ``worker_init``: install
    Parsl there. The machines have to reach the driver's address on its port: see the guide.

    Args:
        project_id: The id of the project (not its name or number) that pays for the machines.
        key_file: The file of a service account's key; None for application default credentials.
        region: The region, such as ``us-central1``.
        os_project: The project of the image, such as ``debian-cloud``.
        os_family: The family of the image, such as ``debian-12``; its newest image is used.
        google_version: The version of Compute Engine's interface: ``v1``, ``beta`` or ``alpha``.
        instance_type: The machine type.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        launcher: Starts the managers on each machine.
        parallelism: Slots to provide for each task, from 0 to 1.
        nodes_per_block: Machines of one block.
        walltime: When a machine ends, at the latest, as HH:MM:SS; at least 30 seconds, at most 120 days.
        worker_init: Shell text that a machine runs as root first, such as the installation of packages.
        spot: Whether to use spot machines, which cost less and can be reclaimed at any time; the tasks on
            them run again, which does not count as a retry.
        zones: Zones of the region to use, the first one first; None for all.
        network: The name or path of the network; None for ``default``, or that of the subnetwork.
        subnetwork: The name or path of the subnetwork.
        external_address: Whether the machines have addresses on the internet. Without one, they need Cloud
            NAT to reach anything outside of their network.
        network_tags: Tags by which firewall rules select the machines.
        accelerators: How many accelerators of which types each machine has: ``{"nvidia-tesla-t4": 1}``.
        disk_size_gb: The size of the boot disk in GB; None for that of the image.
        disk_type: The type of the boot disk, such as ``pd-ssd``; None for the service's default.
        service_account: The account that programs on the machines use for Google's services; None for none.
        labels: Further labels of the machines, for bills.
        linger: Whether machines stay up until their walltime when their block has ended.
        state_file: A file with the machines of this run, by which the next run with it removes what a driver
            that was killed has left, and counts the hours of all runs; None for no such file.
        max_machine_hours: The maximum of hours of all machines together; None for no limit.
        price_per_hour: The price of a machine for an hour in US dollars; None for an estimate.
        api_endpoint: The address of Compute Engine, for private access; None for the public one.
    """

    walltime: str = validate.Custom(_check_walltime)
    project_id = validate.Text(allow_empty=False, one_line=True)
    key_file = validate.Text(optional=True, allow_empty=False)
    region = validate.Text(allow_empty=False, one_line=True)
    os_project = validate.Text(allow_empty=False, one_line=True)
    os_family = validate.Text(allow_empty=False, one_line=True)
    google_version = validate.Choice(VERSIONS)
    instance_type = validate.Text(allow_empty=False, one_line=True)
    spot = validate.Boolean()
    zones = validate.ListOf(str, optional=True, allow_empty=False)
    network = validate.Text(optional=True, allow_empty=False, one_line=True)
    subnetwork = validate.Text(optional=True, allow_empty=False, one_line=True)
    external_address = validate.Boolean()
    network_tags = validate.ListOf(str)
    accelerators = validate.Custom(_check_accelerators)
    disk_size_gb = validate.Integer(low=1, optional=True)
    disk_type = validate.Text(optional=True, allow_empty=False, one_line=True)
    service_account = validate.Text(optional=True, allow_empty=False, one_line=True)
    labels = validate.Custom(_check_labels)
    api_endpoint = validate.Custom(_check_endpoint)

    #: The limit of a value in an instance's metadata.
    max_user_data_bytes = 262144

    @refuses_unknown_names
    def __init__(
        self,
        project_id: str,
        key_file: str | None,
        region: str,
        os_project: str,
        os_family: str,
        google_version: str = "v1",
        instance_type: str = "n1-standard-1",
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 10,
        launcher: Launcher = SingleNodeLauncher(),
        parallelism: float = 1,
        *,
        nodes_per_block: int = 1,
        walltime: str = "01:00:00",
        worker_init: str = "",
        spot: bool = False,
        zones: Sequence[str] | None = None,
        network: str | None = None,
        subnetwork: str | None = None,
        external_address: bool = True,
        network_tags: Sequence[str] = (),
        accelerators: Mapping[str, int] | None = None,
        disk_size_gb: int | None = None,
        disk_type: str | None = None,
        service_account: str | None = None,
        labels: Mapping[str, str] | None = None,
        linger: bool = False,
        state_file: str | None = None,
        max_machine_hours: float | None = None,
        price_per_hour: float | None = None,
        api_endpoint: str | None = None,
    ) -> None:
        self.configure(locals())

    @property
    def label(self) -> str:
        return "google_cloud"

    def make_cloud(self) -> ComputeEngine:
        """Return the calls of Compute Engine.

        Raises:
            ConfigurationError: The credentials cannot be read.
            OptionalModuleMissing: The client library is not installed.
        """
        fleet = Fleet(
            project=self.project_id,
            region=self.region,
            image_project=self.os_project,
            image_family=self.os_family,
            machines=self._machine_settings(),
            zones=self.zones,
            nodes_per_block=self.nodes_per_block,
            max_blocks=self.max_blocks,
        )
        # Absolute: other processes get the path, too, and run in other directories.
        key_file = full_path(self.key_file)
        access = Access(key_file, self.google_version, self.api_endpoint)
        return ComputeEngine(access, fleet, lambda: self.clock())

    def _machine_settings(self) -> InstanceSettings:
        return InstanceSettings(
            machine_type=self.instance_type,
            region=self.region,
            network=self.network,
            subnetwork=self.subnetwork,
            has_external_address=self.external_address,
            is_spot=self.spot,
            accelerators=self.accelerators,
            disk_size_gb=self.disk_size_gb,
            disk_type=self.disk_type,
            service_account=self.service_account,
            network_tags=self.network_tags,
        )

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.gcs") -> str:
        """Create the machines of a block; return the name of the block, with which their names begin."""
        return super().submit(command, tasks_per_node, job_name)

    def machine_tags(self) -> Mapping[str, str]:
        """Return the user's labels for machines."""
        return self.labels

    def get_zone(self, region: str) -> str:
        """Return the first zone of a region that is up.

        Args:
            region: The region.

        Raises:
            ServiceError: The service does not answer.
            ValueError: There is no such region.
        """
        zones = self.make_cloud().zones_of(region)
        if not zones:
            raise ValueError(f"the region {region!r} has no zones; expected one such as 'us-central1'")
        return zones[0]

    def delete_instance(self, name: str) -> None:
        """Delete a machine by its name; one that does not exist is no error."""
        self.cloud.terminate([name])

    def bye(self) -> None:
        """Terminate all machines of this provider."""
        self.cancel(list(self.resources))


pass_on_upstream_names(__name__)
