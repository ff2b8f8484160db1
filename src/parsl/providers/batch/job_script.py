"""Job scripts: a scheduler's header, and the body that all schedulers share.

The templates are files with placeholders such as ``{{name}}``: ``job.sh`` next to this module, and a file
with the header (the directives) next to each provider.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping

from parsl.vocabulary.provider_errors import ScriptPathError

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def template_next_to(module_file: str, name: str) -> str:
    """Return the path of the template ``name`` in the directory of a module."""
    return os.path.join(os.path.dirname(module_file), name)


def fill_job_script(
    header_path: str | None, values: Mapping[str, str | None], *, redirects_output: bool
) -> str:
    """Return the text of a job script, which redirects its own output if ``redirects_output``."""
    redirection_path = template_next_to(__file__, "redirection.sh") if redirects_output else None
    parts = {"header": header_path, "redirection": redirection_path}
    texts = {name: None if path is None else fill_template(path, values)[:-1] for name, path in parts.items()}
    return fill_template(template_next_to(__file__, "job.sh"), {**values, **texts})


def fill_template(path: str, values: Mapping[str, str | None]) -> str:
    """Return a template's text with values, which may contain braces, in the places of its placeholders.

    A line with a placeholder whose value is None is omitted.
    """
    try:
        with open(path, encoding="utf-8") as template:
            lines = template.read().splitlines()
    except OSError as error:  # the installation is incomplete
        raise ScriptPathError(path, error) from error
    return "".join(_fill(line, values) for line in lines)


def _fill(line: str, values: Mapping[str, str | None]) -> str:
    if any(values[name] is None for name in _PLACEHOLDER.findall(line)):
        return ""
    return _PLACEHOLDER.sub(lambda match: values[match[1]] or "", line) + "\n"


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
