"""A coverage-guided fuzzer for messages from connections and for lists of nodes and CPUs.

    python -m chaos.coverage_fuzz --seconds 600 --seed 3

It needs atheris (``pip install 'parsl[fuzz]'``). The first byte of an input chooses what reads the rest. A
finding ends it with a traceback, an exit code that is not 0, and a file crash-... that can be given again:
``python -m chaos.coverage_fuzz crash-...``.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import atheris
import msgspec

with atheris.instrument_imports(include=["parsl"]):
    from parsl.errors import ConfigurationError
    from parsl.executors.high_throughput.node.cpu_list import check_cpu_affinity, parse_cpu_list
    from parsl.executors.high_throughput.node.node_list import MAX_NODES, NoNodes, expand_slurm_list
    from parsl.executors.high_throughput.wire import protocol
    from parsl.executors.high_throughput.wire.message_stream import MessageStream

#: The maximum length of an input, in bytes.
LONGEST = 4096


def decode_with(decode: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    """Bytes are refused, or are a message that means the same when it is encoded again."""

    def check(data: bytes) -> None:
        try:
            found = decode(data)
        except protocol.DecodeError:
            return
        assert isinstance(found, msgspec.Struct)
        again = decode(protocol.encode(found))
        assert again == found or found != found, "the message is unchanged, unless it has a NaN"

    return check


def read_stream(data: bytes) -> None:
    """A stream yields whole messages until it ends, however its bytes are divided."""
    one, other = socket.socketpair()
    with one, other:
        stream = MessageStream(other)
        step = 1 + (data[0] if data else 0)
        try:
            for at in range(0, len(data), step):
                one.sendall(data[at : at + step])
                check_messages(stream.receive())
            one.close()
            while True:
                check_messages(stream.receive())
        except EOFError:
            return


def check_messages(messages: Sequence[Sequence[Any]]) -> None:
    for frames in messages:
        assert frames, "a message has a frame"
        assert sum(memoryview(frame).nbytes for frame in frames) <= LONGEST


def read_node_list(data: bytes) -> None:
    try:
        nodes = expand_slurm_list(data.decode(errors="replace"))
    except NoNodes:
        return
    assert 0 < len(nodes) <= MAX_NODES
    assert all(node and "[" not in node and "," not in node for node in nodes)


def read_cpu_list(data: bytes) -> None:
    try:
        checked = check_cpu_affinity(data.decode(errors="replace"))
    except ConfigurationError:
        return
    if checked.startswith("list:"):
        assert all(cpu >= 0 for group in parse_cpu_list(checked.removeprefix("list:")) for cpu in group)


DECODERS = sorted(name for name in vars(protocol) if name.startswith("decode_"))
READERS: list[Callable[[bytes], None]] = [
    read_stream,
    read_node_list,
    read_cpu_list,
    *(decode_with(getattr(protocol, name)) for name in DECODERS),
]


def read_one(data: bytes) -> None:
    """What the fuzzer calls."""
    if data:
        READERS[data[0] % len(READERS)](data[1:])


def write_examples(directory: Path) -> None:
    """Return valid inputs to begin with."""
    task = protocol.Task(1, b"f", b"payload", (3, 4), 1.0)
    heads = [
        protocol.encode(protocol.Tasks([task], {b"f": b"body"}, 3)),
        protocol.encode(protocol.Results([protocol.Result(1, 0, b"x")], 3, 1)),
        protocol.encode(protocol.Cancel([1, 2])),
        protocol.encode(protocol.Goodbye("the end")),
    ]
    wire = b"".join(struct.pack("<I2Q", 2, len(head), 3) + head + b"abc" for head in heads)
    examples = [wire, b"nid[00001-00003,7],login1", b"list:0-7,104-111:8-15", *heads * len(DECODERS)]
    for number, data in enumerate(examples):
        kind = number if number < 3 else 3 + (number - 3) // len(heads)
        (directory / str(number)).write_bytes(bytes([kind]) + data)


def fuzz(limits: Sequence[str], inputs: Sequence[str]) -> None:
    """Fuzz, and end this process at once."""
    atheris.Setup([sys.argv[0], *limits, *inputs], read_one)
    atheris.Fuzz()


def main() -> int:
    """Fuzz in a separate process. Returns: its exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos.coverage_fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=0, help="for other inputs; 0 for new ones each time (0)")
    parser.add_argument("--findings", default=".", help="the directory for inputs that break something (.)")
    parser.add_argument("inputs", nargs="*", type=os.path.abspath, help="only these files")
    options = parser.parse_args()
    limits = [f"-max_total_time={options.seconds}", f"-seed={options.seed}", f"-max_len={LONGEST}"]
    limits.append(f"-artifact_prefix={os.path.abspath(options.findings)}/")
    with tempfile.TemporaryDirectory(prefix="parsl-fuzz-") as directory:
        write_examples(Path(directory))
        pid = os.fork()
        if pid == 0:
            fuzz(limits, options.inputs or [directory])
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
