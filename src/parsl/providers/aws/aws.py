"""The provider for Amazon EC2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parsl import validate
from parsl.common.parameter_names import refuses_unknown_names
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.aws.ec2 import Ec2
from parsl.providers.aws.service import InstanceOptions
from parsl.providers.machines.key_file import full_path
from parsl.providers.machines.provider import MachineProvider

_RESERVED_PREFIXES = ("parsl-", "aws:")


def _check_tags(owner: object, name: str, value: object) -> dict[str, str]:
    tags: dict[str, str] = validate.instance(owner, name, {} if value is None else value, dict)
    for key, text in tags.items():
        validate.text(owner, f"a key of {name}", key, allow_empty=False)
        validate.text(owner, f"{name}[{key!r}]", text)
        if key.startswith(_RESERVED_PREFIXES) or key == "Name":
            validate.wrong_value(owner, f"a key of {name}", key, "a tag other than Name, parsl-* and aws:*")
    return tags


class AWSProvider(MachineProvider):
    """Runs each block on instances of Amazon EC2, one for each node.

    The machines start in the default VPC, or in ``subnet_id``, and connect to the driver: its address must
    be reachable from there. Parsl needs no ssh, and opens no ports of the machines. The image needs a Python
    with this version of Parsl, or ``worker_init`` installs it. See the guide, "Amazon EC2".

    Args:
        image_id: The image, such as ``"ami-0123456789abcdef0"``.
        key_name: The key pair with which you can log in; None for none.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        nodes_per_block: Machines of one block.
        parallelism: Slots to provide for each task, from 0 to 1.
        worker_init: Shell text that a machine runs first, as root.
        instance_type: The type of the machines, such as ``"g5.xlarge"`` for one with a GPU.
        region: The region.
        spot_max_bid: The maximum price of a spot machine for an hour (US dollars); 0 for machines on demand,
            or, with ``spot``, for the price on demand as the maximum.
        key_file: A JSON file with ``AWSAccessKeyId`` and ``AWSSecretKey``.
        profile: The name of a profile in ``~/.aws``.
        iam_instance_profile_arn: The role of the machines.
        state_file: A file with the machines and the machine-hours, for a driver that is restarted: it
            terminates what the earlier one has left.
        walltime: When a machine ends by itself, whatever happens to the driver.
        linger: Keep machines up until their walltime, after their managers have ended and after the run.
        launcher: Starts the manager on a machine.
        subnet_id: The subnet of the machines; None for the default VPC.
        security_group_ids: The security groups of the machines; None for the default one. Machines need
            outgoing connections only.
        spot: Use spot machines. Tasks on a machine that EC2 reclaims are retried, which is not counted.
        tags: Further tags of the machines and their volumes.
        max_machine_hours: The maximum sum of the hours of all machines. A machine counts up to its walltime
            while it runs.
        price_per_hour: The price of a machine for an hour (US dollars), instead of the price list's.
    """

    image_id = validate.Text(allow_empty=False, one_line=True)
    key_name: str | None = validate.Text(optional=True, one_line=True)
    instance_type = validate.Text(allow_empty=False, one_line=True)
    region = validate.Text(allow_empty=False, one_line=True)
    spot_max_bid = validate.Number(low=0)
    key_file: str | None = validate.Text(optional=True, allow_empty=False)
    profile: str | None = validate.Text(optional=True, allow_empty=False)
    iam_instance_profile_arn = validate.Text(one_line=True)
    subnet_id: str | None = validate.Text(optional=True, allow_empty=False, one_line=True)
    security_group_ids: list[str] | None = validate.ListOf(str, optional=True)
    spot = validate.Boolean()
    tags: dict[str, str] = validate.Custom(_check_tags)

    @refuses_unknown_names
    def __init__(
        self,
        image_id: str,
        key_name: str | None,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 10,
        nodes_per_block: int = 1,
        parallelism: float = 1,
        worker_init: str = "",
        instance_type: str = "t2.small",
        region: str = "us-east-2",
        spot_max_bid: float = 0,
        key_file: str | None = None,
        profile: str | None = None,
        iam_instance_profile_arn: str = "",
        state_file: str | None = None,
        walltime: str = "01:00:00",
        linger: bool = False,
        launcher: Launcher = SingleNodeLauncher(),
        subnet_id: str | None = None,
        security_group_ids: Sequence[str] | None = None,
        spot: bool = False,
        tags: Mapping[str, str] | None = None,
        max_machine_hours: float | None = None,
        price_per_hour: float | None = None,
    ) -> None:
        self.configure(locals())

    @property
    def label(self) -> str:
        return "ec2"

    def submit(self, command: str = "sleep 1", tasks_per_node: int = 1, job_name: str = "parsl.aws") -> str:
        """Create the instances of a block; return its name, with which their names begin."""
        return super().submit(command, tasks_per_node, job_name)

    def machine_tags(self) -> Mapping[str, str]:
        return self.tags

    def make_cloud(self) -> Ec2:
        options = InstanceOptions(
            self.image_id,
            self.instance_type,
            self.key_name,
            self.iam_instance_profile_arn,
            self.subnet_id,
            tuple(self.security_group_ids or ()),
            self.spot or self.spot_max_bid > 0,
            self.spot_max_bid,
            self.tags,
        )
        machines = self.max_blocks * self.nodes_per_block
        key_file = full_path(self.key_file)
        return Ec2(self.region, self.profile, key_file, options, machines, self.nodes_per_block)
