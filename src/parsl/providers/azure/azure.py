"""The provider for machines of Microsoft Azure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsl import validate
from parsl.common.parameter_names import refuses_unknown_names
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.azure.access import PUBLIC_ENDPOINT, Address
from parsl.providers.azure.cloud import AzureCloud
from parsl.providers.azure.machine_request import MAX_SCRIPT_BYTES, Plan
from parsl.providers.azure.vm_reference import check_vm_reference, read_vm_reference
from parsl.providers.machines.key_file import full_path
from parsl.providers.machines.provider import MachineProvider
from parsl.providers.machines.tags import check_tags

#: Room for what lets a machine delete itself, in bytes.
_SELF_DELETION_BYTES = 4096


def _check_endpoint(owner: object, name: str, value: object) -> str:
    address = validate.text(owner, name, value).rstrip("/")
    if not address.startswith("https://"):
        validate.wrong_value(
            owner, name, value, f"an address that begins with https://, as {PUBLIC_ENDPOINT!r}"
        )
    return address


class AzureProvider(MachineProvider):
    """Runs blocks on machines of Azure, one for each node.

    A machine has no public address unless it is requested, and no one needs to log in to it. Its disk and
    its network interface are deleted with it. Azure bills a machine that has only shut itself down: the
    driver deletes such machines, and so does a machine by itself that has an ``identity``.

    Needs ``pip install 'parsl[azure]'``. The resource group and the network are made if they do not exist,
    and are not deleted at the end; they cost nothing.

    Args:
        vm_reference: The kind of machine: ``publisher``, ``offer``, ``sku`` and ``version`` of an image of
            the marketplace (its purchase plan as ``plan``, if it has one), or ``image_id``, the resource id
            of an image of one's own; ``vm_size``; if needed ``disk_size_gb``; for people who log in,
            ``admin_username`` and ``password``.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        parallelism: Slots to provide for each task, from 0 to 1.
        worker_init: Shell text to run first, as root, such as the activation of an environment.
        location: The region, such as ``westeurope``.
        group_name: The resource group of the machines.
        key_name: A public key for SSH that is a resource of the group, for people who log in.
        key_file: A JSON file with AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_TENANT_ID and
            AZURE_SUBSCRIPTION_ID. Without it, the credentials are those of ``az login``, of the
            environment, or of the machine that the driver runs on (DefaultAzureCredential).
        vnet_name: The virtual network of the group in which the machines are.
        linger: Whether machines stay up when their block has ended or was cancelled, until their walltime.
        launcher: Starts the managers on a machine.
        nodes_per_block: Machines of one block.
        walltime: When machines end by themselves, as HH:MM:SS; also after the driver has died.
        spot: Whether to rent spot machines, which are cheaper and may be evicted at any time.
        spot_max_price: The maximum price of a spot machine in US dollars per hour, also without ``spot``;
            None for machines that are no spot machines or, with ``spot``, for the price of these as the
            maximum.
        subnet: The name of a subnet of the virtual network, or the resource id of any subnet; None for the
            first.
        public_address: Whether machines have a public address, from which they can reach other networks.
        identity: The resource id of a user-assigned managed identity that may delete the machines.
        tags: Tags of the machines, in addition to Parsl's.
        state_file: A file by which the next run finds machines that a driver has left, and the hours they
            used.
        max_machine_hours: The maximum number of hours of all machines together.
        price_per_hour: The price of a machine in US dollars, instead of the one in Azure's public list.
        subscription_id: The subscription; by default, AZURE_SUBSCRIPTION_ID of the key file or environment.
        endpoint: The address of Azure Resource Manager, for clouds other than the public one. Their address
            for logins is read from the variable AZURE_AUTHORITY_HOST.
    """

    vm_reference: dict[str, Any] = validate.Custom(check_vm_reference)
    location: str = validate.Text(allow_empty=False)
    group_name: str = validate.Text(allow_empty=False)
    key_name: str | None = validate.Text(optional=True, allow_empty=False)
    key_file: str | None = validate.Text(optional=True, allow_empty=False)
    vnet_name: str = validate.Text(allow_empty=False)
    spot: bool = validate.Boolean()
    spot_max_price: float | None = validate.Number(above=0, optional=True)
    subnet: str | None = validate.Text(optional=True, allow_empty=False)
    public_address: bool = validate.Boolean()
    identity: str | None = validate.Text(optional=True, allow_empty=False)
    tags: Mapping[str, str] = validate.Custom(check_tags)
    subscription_id: str | None = validate.Text(optional=True, allow_empty=False)
    endpoint: str = validate.Custom(_check_endpoint)

    max_user_data_bytes = MAX_SCRIPT_BYTES - _SELF_DELETION_BYTES

    @refuses_unknown_names
    def __init__(
        self,
        vm_reference: dict[str, Any],
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 10,
        parallelism: float = 1,
        worker_init: str = "",
        location: str = "westus",
        group_name: str = "parsl.group",
        key_name: str | None = None,
        key_file: str | None = None,
        vnet_name: str = "parsl.vnet",
        linger: bool = False,
        launcher: Launcher = SingleNodeLauncher(),
        *,
        nodes_per_block: int = 1,
        walltime: str = "01:00:00",
        spot: bool = False,
        spot_max_price: float | None = None,
        subnet: str | None = None,
        public_address: bool = False,
        identity: str | None = None,
        tags: Mapping[str, str] | None = None,
        state_file: str | None = None,
        max_machine_hours: float | None = None,
        price_per_hour: float | None = None,
        subscription_id: str | None = None,
        endpoint: str = PUBLIC_ENDPOINT,
    ) -> None:
        self.configure(locals())

    @property
    def label(self) -> str:
        return "azure"

    def submit(self, command: str = "sleep 1", tasks_per_node: int = 1, job_name: str = "parsl.azure") -> str:
        """Create the machines of a block; return the name of the block, with which their names begin."""
        return super().submit(command, tasks_per_node, job_name)

    def machine_tags(self) -> Mapping[str, str]:
        """Return the user's tags for machines."""
        return self.tags

    def make_cloud(self) -> AzureCloud:
        """Return the calls of Azure."""
        key_file = full_path(self.key_file)
        address = Address(self.group_name, key_file, self.subscription_id, self.endpoint)
        return AzureCloud(address, self._plan(), lambda: self.clock())

    def _plan(self) -> Plan:
        return Plan(
            location=self.location.replace(" ", "").lower(),
            vm=read_vm_reference(self.vm_reference),
            vnet_name=self.vnet_name,
            subnet=self.subnet,
            key_name=self.key_name,
            is_spot=self.spot or self.spot_max_price is not None,
            spot_max_price=self.spot_max_price,
            identity=self.identity,
            has_public_address=self.public_address,
            machines_per_block=self.nodes_per_block,
            max_blocks=self.max_blocks,
        )
