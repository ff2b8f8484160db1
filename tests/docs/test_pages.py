"""The pages' blocks are found, and put together as they should be."""

from __future__ import annotations

from tests.docs.pages import Block, expectations, make_program, read_blocks, split_output

PAGE = """\
# Title
```python
print(1)
```
<!-- prints -->
```text
1
```
Then:
<!-- not run: there is no such machine -->
```python
raise SystemExit
```
<!-- file: data/a.txt -->
```text
a
```
<!-- run -->
```sh
echo 2
```
  ```python
  print(3)
  ```
"""


def test_blocks_are_read_with_their_marks_and_lines():
    assert read_blocks(PAGE) == [
        Block("python", "print(1)\n", "", 3),
        Block("text", "1\n", "prints", 7),
        Block("python", "raise SystemExit\n", "not run: there is no such machine", 12),
        Block("text", "a\n", "file: data/a.txt", 16),
        Block("sh", "echo 2\n", "run", 20),
        Block("python", "print(3)\n", "", 23),
    ]


def test_lines_of_the_program_are_lines_of_the_page():
    lines = make_program(read_blocks(PAGE)).splitlines()
    assert lines[2] == "print(1)"
    assert lines[22] == "print(3)"
    assert "raise SystemExit" not in lines
    assert "echo 2" in lines[18]


def test_the_output_of_each_block_is_separated():
    assert split_output("\x1e3\n1\n\x1e20\n2\n") == {3: "1\n", 20: "2\n"}


def test_an_expectation_belongs_to_the_preceding_block():
    blocks = read_blocks(PAGE)
    assert expectations(blocks) == [(blocks[0], blocks[1])]
