"""In which order managers with room are given tasks."""

from __future__ import annotations

import random
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Any


class ManagerSelector(metaclass=ABCMeta):
    """Plug-in base: the order in which the interchange offers tasks to managers."""

    @abstractmethod
    def sort_managers(self, ready_managers: Mapping[bytes, Any], manager_list: set[bytes]) -> list[bytes]:
        """Order the managers.

        Args:
            ready_managers: what is known of every registered manager, by its name.
            manager_list: the names of those that have room for a task.

        Returns: the names in the order in which they get tasks; those left out get none this time.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class RandomManagerSelector(ManagerSelector):
    """Any order: spreads tasks evenly."""

    def sort_managers(self, ready_managers: Mapping[bytes, Any], manager_list: set[bytes]) -> list[bytes]:
        names = list(manager_list)
        random.shuffle(names)
        return names


class BlockIdManagerSelector(ManagerSelector):
    """The oldest blocks first: the youngest fall idle and can be given back."""

    def sort_managers(self, ready_managers: Mapping[bytes, Any], manager_list: set[bytes]) -> list[bytes]:
        return sorted(manager_list, key=lambda name: _block_order(ready_managers[name]["block_id"]))


def _block_order(block: Any) -> tuple[int, int, str]:
    text = "" if block is None else str(block)
    return (0, int(text), text) if text.isdigit() else (1, 0, text)
