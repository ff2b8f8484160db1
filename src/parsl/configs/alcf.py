"""What the machines of ALCF, the Argonne Leadership Computing Facility, have in common."""

from __future__ import annotations

import re
from typing import Any

from parsl import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.providers.pbspro.pbspro import PBSProProvider


def filesystems_option(owner: str, filesystems: str) -> str:
    """Return the line of a job script that names the file systems a job needs: no job is taken without it.

    Args:
        owner: The configuration, for errors.
        filesystems: Their names with colons between, such as ``"home:flare"``.

    Raises:
        ParameterError: There is none, or it has blanks.
    """
    text = validate.text(owner, "filesystems", filesystems, allow_empty=False, one_line=True)
    if not re.fullmatch(r"[\w.-]+(?::[\w.-]+)*", text):
        validate.wrong_value(
            owner, "filesystems", filesystems, "names with colons between, as in 'home:flare'"
        )
    return f"#PBS -l filesystems={text}"


def pbs_provider(
    owner: str, account: str, filesystems: str, scheduler_options: str, **options: Any
) -> PBSProProvider:
    """Return a provider for jobs of ALCF.

    Args:
        owner: The configuration, for errors.
        account: The project to charge; mandatory there.
        filesystems: The file systems that a job needs.
        scheduler_options: Further ``#PBS`` lines.
        options: As for a PBSProProvider.

    Raises:
        ParameterError: One of them is wrong.
    """
    from parsl.providers import PBSProProvider

    account = validate.text(owner, "account", account, allow_empty=False, one_line=True)
    validate.text(owner, "scheduler_options", scheduler_options)
    lines = [filesystems_option(owner, filesystems), *([scheduler_options] if scheduler_options else [])]
    return PBSProProvider(account=account, scheduler_options="\n".join(lines), **options)
