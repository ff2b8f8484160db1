"""A machine that deletes itself: with a managed identity, instead of only shutting down."""

from __future__ import annotations

from urllib.parse import quote

from parsl.providers.batch.job_script import fill_template, template_next_to

_TEMPLATE = template_next_to(__file__, "self_deletion.sh")


def with_self_deletion(script: str, identity: str, endpoint: str) -> str:
    """Return a machine's script, in which the command ``shutdown`` also deletes the machine.

    Args:
        script: The script, in bash.
        identity: The resource id of the machine's managed identity, which may delete it.
        endpoint: The address of Azure Resource Manager.
    """
    values = {
        "resource": quote(f"{endpoint}/", safe=""),
        "identity": quote(identity, safe=""),
        "endpoint": endpoint,
        "script": script,
    }
    return fill_template(_TEMPLATE, values)
