"""Job scripts: a scheduler's header, and the body that all schedulers share.

The templates are files with placeholders such as ``{{name}}``: ``job.sh`` next to this module, and a file
with the header (the directives) next to each provider.
"""

from __future__ import annotations

import os
import re
import shlex

from parsl.vocabulary.provider_errors import ScriptPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def template_next_to(module_file: str, name: str) -> str:
    """Return the path of the template ``name`` in the directory of a module."""
    return os.path.join(os.path.dirname(module_file), name)


_BODY = template_next_to(__file__, "job.sh")
_REDIRECTION = template_next_to(__file__, "redirection.sh")


def fill_job_script(
    header_path: str | None, values: Mapping[str, str | None], *, redirects_output: bool
) -> str:
    """Return the text of a job script.

    Args:
        header_path: The template of the header; None for a script without one.
        values: The values of the placeholders.
        redirects_output: Whether the script itself redirects its output to files, because the scheduler
            would deliver the output only after the job has ended.

    Raises:
        ScriptPathError: A template cannot be read: the installation is incomplete.
        KeyError: A placeholder has no value.
    """
    header = None if header_path is None else fill_template(header_path, values)[:-1]
    redirection = fill_template(_REDIRECTION, values)[:-1] if redirects_output else None
    return fill_template(_BODY, {**values, "header": header, "redirection": redirection})


def fill_template(path: str, values: Mapping[str, str | None]) -> str:
    """Return a template's text with values in the places of its placeholders.

    A line with a placeholder whose value is None is omitted. Values may contain braces: they are inserted
    as they are.

    Args:
        path: The template.
        values: The value of each placeholder.

    Raises:
        ScriptPathError: The template cannot be read: the installation is incomplete.
        KeyError: A placeholder has no value.
    """
    try:
        with open(path, encoding="utf-8") as template:
            lines = template.read().splitlines()
    except OSError as error:
        raise ScriptPathError(path, error) from error
    return "".join(_fill(line, values) for line in lines)


def double_quoted(path: str) -> str:
    """Return a path in double quotes if it contains characters that would end a word of a directive."""
    if shlex.quote(path) == path:
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def left_aligned(options: str) -> str:
    """Return lines without the blanks before directives, which some schedulers require at column one."""
    lines = options.splitlines()
    return "\n".join(line.lstrip() if line.lstrip().startswith("#") else line for line in lines)


def _fill(line: str, values: Mapping[str, str | None]) -> str:
    if any(values[name] is None for name in _PLACEHOLDER.findall(line)):
        return ""
    return _PLACEHOLDER.sub(lambda match: values[match[1]] or "", line) + "\n"
