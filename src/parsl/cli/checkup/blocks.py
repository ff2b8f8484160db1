"""Blocks and time: numbers that cannot work together."""

from __future__ import annotations

from parsl.cli.checkup.finding import ERROR, NOTE, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.cli.checkup.subject import Subject

_TOPIC = "blocks"


def check_blocks(subject: Subject) -> list[Finding]:
    """Compare numbers of blocks, walltime and retries."""
    if subject.provider is None:
        return []
    return [*_check_numbers(subject), *_check_time(subject), *_check_retries(subject)]


def _check_numbers(subject: Subject) -> list[Finding]:
    provider = subject.provider
    most, first = getattr(provider, "max_blocks", 1), getattr(provider, "init_blocks", 1)
    strategy = subject.config.strategy
    if most == 0 and first == 0:
        return [Finding(ERROR, _TOPIC, "max_blocks is 0: there is never a node to run on.")]
    if first == 0 and getattr(provider, "min_blocks", 0) == 0 and strategy in ("none", None):
        text = "init_blocks and min_blocks are 0, and strategy='none' adds no blocks: nothing would ever run."
        return [Finding(ERROR, _TOPIC, text, "Set init_blocks=1, or strategy='simple'.")]
    if first > most:
        text = f"init_blocks is {first}, more than max_blocks={most}: {first} are started, and none is added."
        return [Finding(WARNING, _TOPIC, text)]
    return []


def _check_time(subject: Subject) -> list[Finding]:
    batch = subject.batch
    drain_s = getattr(subject.executor, "drain_period", None)
    if batch is None or drain_s is None or drain_s < batch.walltime_s:
        return []
    text = (
        f"drain_period is {drain_s:g} s, walltime {batch.walltime_s} s: jobs end before they begin to drain."
    )
    return [Finding(WARNING, _TOPIC, text)]


def _check_retries(subject: Subject) -> list[Finding]:
    if subject.batch is None or subject.config.retries:
        return []
    text = "retries is 0: a task that the end of a job or the loss of a node interrupts has failed."
    level = NOTE if subject.config.retry_handler is not None else WARNING
    return [Finding(level, _TOPIC, text, "Set retries=1 in the Config.")]
