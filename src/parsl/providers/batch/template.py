"""Job scripts are files beside the provider that uses them, with places for values."""

from __future__ import annotations

import os
import re
import shlex

from parsl.vocabulary.provider_errors import ScriptPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def fill_template(path: str, values: Mapping[str, str | None]) -> str:
    """Fill in a template.

    ``{{name}}`` stands for a value, which the template's own file shows in its place. A line with a place
    whose value is None is left out. Values are put in as they are, and are not looked at again.

    Args:
        path: The template.
        values: The value of each place.

    Raises:
        ScriptPathError: The template cannot be read: the installation is not complete.
        KeyError: A place has no value.
    """
    try:
        with open(path, encoding="utf-8") as template:
            lines = template.read().splitlines()
    except OSError as error:
        raise ScriptPathError(path, error) from error
    return "".join(_fill(line, values) for line in lines)


def template_beside(module_file: str, name: str = "job.sh") -> str:
    """Return the path of the template ``name`` in the directory of a module."""
    return os.path.join(os.path.dirname(module_file), name)


def double_quoted(path: str) -> str:
    """Put a path into double quotes if it has characters that end a word of a directive."""
    if shlex.quote(path) == path:
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _fill(line: str, values: Mapping[str, str | None]) -> str:
    if any(values[name] is None for name in _PLACE.findall(line)):
        return ""
    return _PLACE.sub(lambda match: values[match[1]] or "", line) + "\n"
