"""The examples in the pages of the documentation.

A page's ``python`` blocks are one program, run in order in an empty directory. A comment in the line above
a block marks other kinds of blocks:

- ``<!-- not run: why -->``: an example that only makes sense on some machine;
- ``<!-- file: name -->``: the content of a file that is created before the program begins;
- ``<!-- run -->``: a ``sh`` block that runs at its place;
- ``<!-- prints -->``: the output of the preceding block; ``...`` stands for anything.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

_FENCE = re.compile(
    r"(?:^[ ]*<!--[ ]*(?P<mark>[^\n]*?)[ ]*-->\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
#: Printed before what a block prints; the block's line follows it.
MARKER = "\x1e"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the mark above it, and the number of its first line."""

    language: str
    text: str
    mark: str
    line: int

    @property
    def is_python(self) -> bool:
        return self.language == "python" and not self.mark

    @property
    def is_command(self) -> bool:
        return self.language == "sh" and self.mark == "run"

    @property
    def file_name(self) -> str | None:
        return self.mark.removeprefix("file:").strip() if self.mark.startswith("file:") else None


def all_pages() -> list[Path]:
    return sorted(DOCS.rglob("*.md"))


def read_blocks(page: str) -> list[Block]:
    return [
        Block(
            match["language"].strip(),
            textwrap.dedent(match["text"]),
            match["mark"] or "",
            page.count("\n", 0, match.start("text")) + 1,
        )
        for match in _FENCE.finditer(page)
    ]


def make_program(blocks: list[Block]) -> str:
    """Join the blocks that run; each line has the number that it has on the page, for tracebacks."""
    last = max((block.line + block.text.count("\n") for block in blocks), default=0)
    lines = [""] * (last + 1)
    for block in blocks:
        if block.is_python:
            lines[block.line - 2] = _announce(block)
            lines[block.line - 1 : block.line - 1 + block.text.count("\n")] = block.text.splitlines()
        elif block.is_command:
            shell = f"__import__('subprocess').run(['bash', '-euc', {block.text!r}], check=True)"
            lines[block.line - 2] = f"{_announce(block)}; {shell}"
    return "\n".join(lines).rstrip() + "\n"


def _announce(block: Block) -> str:
    return f"print({MARKER + str(block.line)!r}, flush=True)"


def split_output(output: str) -> dict[int, str]:
    """Return what each block has printed, by the number of its first line."""
    printed = {}
    for part in output.split(MARKER)[1:]:
        line, _, text = part.partition("\n")
        printed[int(line)] = text
    return printed


def expectations(blocks: list[Block]) -> list[tuple[Block, Block]]:
    """Return each block of expected output, after the block that prints it."""
    found = []
    before = None
    for block in blocks:
        if block.mark == "prints":
            assert before is not None, f"line {block.line}: nothing runs before this"
            found.append((before, block))
        elif block.is_python or block.is_command:
            before = block
    return found
