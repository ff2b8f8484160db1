"""Arguments that providers once had."""

from __future__ import annotations

from parsl.common.parameter_names import Retired, accepts_retired


def _local_channel(channel: object) -> None:
    from parsl.channels import LocalChannel

    if channel is not None and not isinstance(channel, LocalChannel):
        raise ValueError("commands run on this host now; run the script on a login node")


accepts_retired_provider_arguments = accepts_retired(
    channel=Retired(
        "leave it out, and the import of LocalChannel; commands run on this host", convert=_local_channel
    ),
    move_files=Retired("leave it out; scripts of jobs are written where the scheduler reads them"),
)
