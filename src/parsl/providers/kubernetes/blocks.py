"""The blocks of one provider: what is known about them, from the answers of the API server."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.job_files import JobFiles
from parsl.providers.kubernetes.block_state import (
    Known,
    Verdict,
    failed_creation,
    has_finished,
    judge,
    needs_explanation,
)
from parsl.providers.kubernetes.cluster import Cluster
from parsl.providers.kubernetes.deletion import Deletion, delete_run
from parsl.providers.kubernetes.manifests import BLOCK_LABEL, BlockNames, selector
from parsl.vocabulary.job_states import JobState, JobStatus

logger = logging.getLogger(__name__)

#: A block that has waited this long without a reason, in seconds, is looked up in the events; and again then.
EXPLAIN_AFTER_S = 4.0
#: How long the output of a pod may take, in seconds.
LOG_DEADLINE_S = 5.0


@dataclass(eq=False)
class Block:
    """One block that was submitted."""

    names: BlockNames
    files: JobFiles
    explain_s: float  #: when to look at its events next
    known: Known
    verdict: Verdict = field(default_factory=lambda: Verdict(JobState.PENDING))
    #: The newest warning about what it waits for.
    explanation: str | None = None
    is_notified: bool = False
    #: Whether its Job has to be deleted, although it has ended.
    is_left: bool = False

    def status(self) -> JobStatus:
        state, message, exit_code, can_never_run = self.verdict
        paths = self.files.stdout_path, None
        return JobStatus(state, message, exit_code, *paths, can_never_run=can_never_run)


class Blocks:
    """Follows the blocks of a provider in one run. May be used from any thread.

    One thread at a time observes; it saves the output of blocks that have ended.
    """

    def __init__(self, cluster: Cluster, run: str, clock: Callable[[], float]) -> None:
        self.cluster = cluster
        self.run = run
        self._clock = clock
        self._blocks: dict[object, Block] = {}
        self._have_changed = False
        self._one_at_a_time = threading.RLock()  # a signal handler may clean up in the middle

    def __repr__(self) -> str:
        return f"<Blocks {self.run} {len(self._blocks)} blocks, {len(self.live())} live>"

    @property
    def selector(self) -> str:
        """The labels of everything that belongs to these blocks."""
        return selector(self.run)

    def add(self, names: BlockNames, files: JobFiles) -> Block:
        block = Block(names, files, self._clock() + EXPLAIN_AFTER_S, Known(names.nodes))
        self._blocks[names.job] = block
        return block

    def find(self, job_id: object) -> Block | None:
        return self._blocks.get(job_id)

    def live(self) -> list[Block]:
        """Return the blocks that are not known to have ended."""
        return [block for block in list(self._blocks.values()) if not block.verdict.is_end]

    @property
    def has_leftovers(self) -> bool:
        """Whether there are Jobs of ended blocks that the cluster has refused to delete."""
        return any(block.is_left for block in list(self._blocks.values()))

    def take_ended(self) -> list[Block]:
        """Return the blocks that have ended since the last call."""
        with self._one_at_a_time:
            blocks = list(self._blocks.values())
            ended = [block for block in blocks if block.verdict.is_end and not block.is_notified]
            for block in ended:
                block.is_notified = True
        return ended

    def take_change(self) -> bool:
        """Return whether the state of a block has changed since the last call."""
        has_changed, self._have_changed = self._have_changed, False
        return has_changed

    def observe(self) -> None:
        """Query the cluster about all blocks that are not known to have ended.

        Raises:
            ServiceError: The cluster gave no usable answer.
        """
        with self._one_at_a_time:
            self._delete_left()
            if not (live := self.live()):
                return
            jobs = {job["metadata"]["name"]: job for job in self.cluster.jobs(self.selector)}
            pods = self._pods()
            for block in live:
                self._update(block, jobs.get(block.names.job), pods[block.names.job])

    def cancel(self, blocks: Iterable[Block]) -> dict[object, bool]:
        """Delete the Jobs of blocks; return, by their ids, whether the cluster has accepted that."""
        with self._one_at_a_time:
            waiting = [block for block in blocks if not block.verdict.is_end]
            is_reachable = self._save_outputs(waiting)
            answers: dict[object, bool] = {}
            for block in waiting:
                # One request shows that a cluster does not answer; the others would wait as long.
                answers[block.names.job] = is_reachable and self._cancel(block)
            return answers

    def delete_all(self) -> Deletion:
        """Delete every Job with the labels of these blocks, also unknown ones."""
        return delete_run(self.cluster, self.run)

    def _cancel(self, block: Block) -> bool:
        block.known = block.known._replace(is_cancelled=True)
        problem = self._delete(block)
        if problem is not None:
            logger.warning("%s", problem)
        return problem is None

    def _delete(self, block: Block) -> ServiceError | None:
        """Request that the Job of a block is deleted; return why it is not."""
        try:
            self.cluster.delete_job(block.names.job)
        except ServiceError as error:
            return error
        block.is_left = False
        return None

    def _pods(self) -> defaultdict[str, list[dict[str, Any]]]:
        pods = defaultdict(list)
        for pod in self.cluster.pods(self.selector):
            pods[pod["metadata"].get("labels", {}).get(BLOCK_LABEL, "")].append(pod)
        return pods

    def _update(self, block: Block, job: dict[str, Any] | None, pods: list[dict[str, Any]]) -> None:
        verdict = judge(job, pods, block.known)
        block.known = block.known._replace(pods_seen=max(block.known.pods_seen, len(pods)))
        if needs_explanation(verdict):
            verdict = self._explained(block, pods, verdict)
        else:
            block.explanation = None
        if verdict.state is not block.verdict.state:
            logger.debug("Block %s: %s", block.names.job, verdict)
            self._have_changed = True
        if verdict.is_end:
            self._save_output(block, pods)
            block.is_left = not has_finished(job)
        block.verdict = verdict
        if block.is_left and (problem := self._delete(block)) is not None:
            logger.warning("Parsl will try again to delete Job %s: %s", block.names.job, problem)

    def _delete_left(self) -> None:
        for block in list(self._blocks.values()):
            if block.is_left:
                self._delete(block)

    def _explained(self, block: Block, pods: Sequence[dict[str, Any]], verdict: Verdict) -> Verdict:
        """Return why a block waits, as far as events show that."""
        if self._clock() >= block.explain_s:
            block.explain_s = self._clock() + EXPLAIN_AFTER_S
            block.explanation = self._look_up(pods[0]["metadata"]["name"] if pods else block.names.job)
        if block.explanation is None:
            return verdict
        if pods:
            return verdict._replace(message=block.explanation)
        return failed_creation(block.explanation)

    def _look_up(self, name: str) -> str | None:
        """Return the newest warning about an object; None without one."""
        try:
            events = self.cluster.warnings(name)
        except ServiceError as error:
            logger.debug("%s", error)
            return None
        return f"{events[-1].get('reason')}: {events[-1].get('message')}" if events else None

    def _save_outputs(self, blocks: Sequence[Block]) -> bool:
        """Save what blocks have written so far; return whether the cluster answers at all."""
        if not blocks:
            return True
        try:
            pods = self._pods()
        except ServiceError as error:
            logger.warning("The output of blocks is not saved: %s", error)
            return error.kind is not FailureKind.TRANSIENT
        for block in blocks:
            self._save_output(block, pods[block.names.job])
        return True

    def _save_output(self, block: Block, pods: Sequence[dict[str, Any]]) -> None:
        """Write the output of the pods of a block to its stdout file, with titles if there are several."""
        parts = []
        for name in sorted(pod["metadata"]["name"] for pod in pods):
            try:
                text = self.cluster.log(name, LOG_DEADLINE_S)
            except ServiceError as error:
                text = f"The output of pod {name} could not be fetched: {error}\n".encode()
            title = f"==> {name} <==\n".encode() if len(pods) > 1 else b""
            parts += [title, text] if text else []
        if not parts:
            return
        try:
            with open(block.files.stdout_path, "wb") as file:
                file.write(b"".join(parts))
        except OSError as error:
            logger.warning("The output of block %s could not be written: %s", block.names.job, error)
