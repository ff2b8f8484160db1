"""An observer that keeps what executors notify it of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsl.vocabulary.run_observer import RunObserver

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from parsl.vocabulary.run_facts import BlockFacts, ManagerFacts, ResourceSample


class Recorder(RunObserver):
    """Keeps all notifications, in their order."""

    def __init__(self) -> None:
        self.joined: list[ManagerFacts] = []
        self.gone: list[tuple[int, str]] = []
        self.nodes: list[tuple[str, str]] = []
        self.started: list[tuple[Future[Any], float, int, int]] = []
        self.blocks: list[BlockFacts] = []
        self.samples: list[tuple[Future[Any], float, ResourceSample]] = []
        self.labels: set[str] = set()

    def manager_joined(self, label: str, manager: ManagerFacts) -> None:
        self.labels.add(label)
        self.joined.append(manager)

    def manager_gone(self, label: str, number: int, reason: str) -> None:
        self.labels.add(label)
        self.gone.append((number, reason))

    def node_changed(self, label: str, host: str, text: str) -> None:
        self.labels.add(label)
        self.nodes.append((host, text))

    def tasks_started(self, label: str, started: Sequence[tuple[Future[Any], float, int, int]]) -> None:
        self.labels.add(label)
        self.started += started

    def resource_samples(
        self, label: str, samples: Sequence[tuple[Future[Any], float, ResourceSample]]
    ) -> None:
        self.labels.add(label)
        self.samples += samples

    def block_changed(self, label: str, block: BlockFacts) -> None:
        self.labels.add(label)
        self.blocks.append(block)
