"""A BlockIdManagerSelector lists the newest block, which is served first, last; no block comes first."""

from parsl.executors.high_throughput.manager_selector import BlockIdManagerSelector

blocks = {b"a": "2", b"b": None, b"c": "1", b"d": "3"}
records = {name: {"block_id": block} for name, block in blocks.items()}
print(BlockIdManagerSelector().sort_managers(records, set(records)))

# prints:
# [b'b', b'c', b'a', b'd']
