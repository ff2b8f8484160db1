"""Jobs of ALCF, the Argonne Leadership Computing Facility: PBS Pro, and mpiexec of HPE PALS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from parsl import validate
from parsl.configs.composing import job_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.providers.pbspro.pbspro import PBSProProvider


def pbs_provider(owner: str, parameters: Mapping[str, Any], **options: Any) -> PBSProProvider:
    """Return a provider for jobs of ALCF, given the ``locals()`` of the configuration named ``owner``."""
    from parsl.providers import PBSProProvider

    account = validate.text(owner, "account", parameters["account"], allow_empty=False, one_line=True)
    more = validate.text(owner, "scheduler_options", parameters["scheduler_options"])
    filesystems = validate.text(
        owner, "filesystems", parameters["filesystems"], allow_empty=False, one_line=True
    )
    if not re.fullmatch(r"[\w.-]+(?::[\w.-]+)*", filesystems):
        expected = "names separated by colons, as in 'home:flare'"
        validate.wrong_value(owner, "filesystems", filesystems, expected)
    # ALCF rejects jobs that do not name their file systems.
    lines = [f"#PBS -l filesystems={filesystems}", *([more] if more else [])]
    return PBSProProvider(
        account=account,
        queue=parameters["queue"],
        scheduler_options="\n".join(lines),
        **job_options(owner, parameters),
        **options,
    )
