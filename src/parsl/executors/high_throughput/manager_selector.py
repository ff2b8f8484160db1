"""The order in which managers with room get tasks."""

from __future__ import annotations

import random
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Any


class ManagerSelector(metaclass=ABCMeta):
    """The base class of plug-ins that order the managers to which the interchange offers tasks."""

    @abstractmethod
    def sort_managers(self, ready_managers: Mapping[bytes, Any], manager_list: set[bytes]) -> list[bytes]:
        """Order the managers.

        Args:
            ready_managers: All registered managers, by name.
            manager_list: The names of the managers that have room for a task.

        Returns:
            The names in the order in which managers get tasks. Managers left out get none this time.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class RandomManagerSelector(ManagerSelector):
    """Offer tasks in random order, which spreads them evenly."""

    def sort_managers(self, ready_managers: Mapping[bytes, Any], manager_list: set[bytes]) -> list[bytes]:
        names = list(manager_list)
        random.shuffle(names)
        return names


class BlockIdManagerSelector(ManagerSelector):
    """Offer tasks to the oldest blocks first, so that the youngest become idle and can be cancelled."""

    def sort_managers(self, ready_managers: Mapping[bytes, Any], manager_list: set[bytes]) -> list[bytes]:
        return sorted(manager_list, key=lambda name: _block_order(ready_managers[name]["block_id"]))


def _block_order(block: Any) -> tuple[int, int, str]:
    text = "" if block is None else str(block)
    return (0, int(text), text) if text.isdigit() else (1, 0, text)
