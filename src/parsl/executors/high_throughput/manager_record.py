"""The public path of the record that manager selectors receive."""

from parsl.executors.high_throughput.interchange.manager import Manager as ManagerRecord

__all__ = ["ManagerRecord"]
