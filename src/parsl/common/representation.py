"""How things are shown: parts of a configuration in a ``repr`` and to usage tracking, and durations."""

from __future__ import annotations

_ONE_LINE_CHARS = 78


class RepresentationMixin:
    """Gives a class a ``repr`` in the form of the constructor call, with the current values.

    The class keeps each parameter of its ``__init__`` in an attribute of the same name. A parameter without
    an attribute, because ``__init__`` has not finished, is shown as ``<unrecorded>``. A repr that does not
    fit on one line has a line for each parameter.
    """

    def __repr__(self) -> str:
        from inspect import Parameter, signature

        shown = []
        unnamed = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        for parameter in signature(type(self).__init__).parameters.values():
            if parameter.name == "self" or parameter.kind in unnamed:
                continue
            required = parameter.default is Parameter.empty and parameter.kind is not Parameter.KEYWORD_ONLY
            value = _attribute_repr(self, parameter.name)
            shown.append(value if required else f"{parameter.name}={value}")
        name = type(self).__name__
        line = f"{name}({', '.join(shown)})"
        if len(line) <= _ONE_LINE_CHARS and "\n" not in line:
            return line
        lines = ",\n".join(shown).replace("\n", "\n    ")
        return f"{name}(\n    {lines}\n)"


class UsageInformation:
    """A part of a configuration that reports more than its class to usage tracking."""

    __module__ = "parsl.usage_tracking.api"  # where users import it

    def get_usage_information(self) -> dict[str, object]:
        """Return facts that identify neither a user nor a machine."""
        return {}


def _attribute_repr(owner: object, name: str) -> str:
    try:
        return repr(getattr(owner, name))
    except AttributeError:
        return "<unrecorded>"
    except Exception as error:
        return f"<repr raises {type(error).__name__}: {error}>"


def rounded_s(duration_s: float) -> str:
    """Return a measured duration in words: three digits, or whole seconds from 100 s on."""
    return f"{duration_s:.0f} s" if duration_s >= 99.5 else f"{duration_s:.3g} s"
