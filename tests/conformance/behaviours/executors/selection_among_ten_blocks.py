"""Whether a BlockIdManagerSelector compares the numbers of blocks."""

from parsl.executors.high_throughput.manager_selector import BlockIdManagerSelector

records = {name: {"block_id": block} for name, block in {b"a": "9", b"b": "10"}.items()}
print(BlockIdManagerSelector().sort_managers(records, set(records)))

# prints:
# [b'a', b'b']
#
# upstream prints:
# [b'b', b'a']
