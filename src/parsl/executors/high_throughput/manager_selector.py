"""The order in which managers with room get tasks.

The interchange serves the managers from the end of a selector's list, as upstream does.
"""

from __future__ import annotations

import random
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Any

from parsl.common import pass_on_upstream_names


class ManagerSelector(metaclass=ABCMeta):
    """The base class of plug-ins that order the managers to which the interchange offers tasks."""

    @abstractmethod
    def sort_managers(self, ready_managers: Mapping[bytes, Any], manager_list: set[bytes]) -> list[bytes]:
        """Order the managers.

        Args:
            ready_managers: All registered managers, by name.
            manager_list: The names of the managers that have room for a task.

        Returns:
            The names; tasks go to the last manager first. Managers left out get none this time.
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
    """Offer tasks to the newest block first, and to managers without a block last."""

    def sort_managers(self, ready_managers: Mapping[bytes, Any], manager_list: set[bytes]) -> list[bytes]:
        return sorted(manager_list, key=lambda name: _age_order(ready_managers[name]["block_id"]))


def _age_order(block: Any) -> tuple[int, int, str]:
    """Order blocks by their age: None first, then names that are no numbers, then the oldest block."""
    if block is None:
        return 0, 0, ""
    text = str(block)
    return (2, int(text), "") if text.isdigit() else (1, 0, text)


pass_on_upstream_names(__name__)
