"""The messages and exit codes of PBS when a command cannot do its work."""

from __future__ import annotations

from parsl.testing.schedulers.records import MAIN

QSUB_USAGE = """\
usage: qsub [-a date_time] [-A account_string] [-c interval]
	[-C directive_prefix] [-e path] [-f ] [-h ] [-I [-X]] [-j oe|eo] [-J X-Y[:Z]]
	[-k keep] [-l resource_list] [-m mail_options] [-M user_list]
	[-N jobname] [-o path] [-p priority] [-P project] [-q queue] [-r y|n]
	[-R o|e|oe] [-S path] [-u user_list] [-W otherattributes=value...]
	[-v variable_list] [-V ] [-z] [script | -- command [arg1 ...]]
       qsub --version
"""
QSTAT_USAGE = """\
usage: 
qstat [-f] [-J] [-p] [-t] [-x] [-E] [-F format | -w] [-D delim] [ job_identifier... | destination... ]
qstat [-a|-i|-r|-H|-T] [-J] [-t] [-u user] [-n] [-s] [-G|-M] [-1] [-w]
	[ job_identifier... | destination... ]
qstat -Q [-f] [-F format] [-D delim] [ destination... ]
qstat -q [-G|-M] [ destination... ]
qstat -B [-f] [-F format] [-D delim] [ server_name... ]
qstat --version
"""  # noqa: W291

UNKNOWN_JOB = 153
JOB_FINISHED = 35
UNKNOWN_QUEUE = 170


class Refusal(Exception):
    """PBS refuses a command; the message is the whole text on stderr."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message, exit_code)
        self.message = message
        self.exit_code = exit_code


#: The texts after ``qsub: `` with the exit codes; the argument of a text is the name of a resource.
_QSUB_TEXTS = {
    "bad-queue": ("Unknown queue", UNKNOWN_QUEUE),
    "queue-disabled": ("Queue is not enabled", 173),
    "over-limit": ("Job violates queue and/or server resource limits", 188),
    "over-user-limit": ("would exceed queue generic's per-user limit", 38),
    "no-account": ("Account_Name is required to be set.", 32),
    "no-resource": ("Resource: {} is required to be set.", 32),
    "bad-value": ("Illegal attribute or resource value Resource_List.{}", 166),
    "bad-resource": ("Unknown resource Resource_List.{}", 187),
    "bad-select": ("Unknown resource: {}", 187),
    "long-name": ("Job name is too long ", 2),
    "no-script": ("script file:: No such file or directory", 1),
    "no-terminal": ("\tstandard input and output must be a terminal for\n\tinteractive job submission", 1),
}
#: The refusals of qsub that can be requested by name: the name of the text, and its argument.
QSUB_REFUSALS = {
    **{
        name: (name, "nosuch")
        for name in _QSUB_TEXTS
        if name not in ("no-resource", "bad-value", "long-name")
    },
    "no-walltime": ("no-resource", "walltime"),
    "no-filesystems": ("no-resource", "filesystems"),
    "bad-walltime": ("bad-value", "walltime"),
}


def qsub_refusal(name: str, argument: str = "") -> Refusal:
    """Return a refusal of qsub; the argument is the name of the resource, if the text has one."""
    text, exit_code = _QSUB_TEXTS[name]
    space = "" if text.startswith("\t") else " "
    return Refusal(f"qsub:{space}{text.format(argument)}\n", exit_code)


def bad_option(reason: str) -> Refusal:
    """Return the refusal of a wrong option on qsub's command line."""
    return Refusal(f"qsub: {reason}\n{QSUB_USAGE}", 2)


def bad_directive(reason: str, option: str) -> Refusal:
    """Return the refusal of a wrong option in a script."""
    return Refusal(f"qsub: {reason}\nqsub: directive error: {option} \n", 1)


def server_down(command: str, server: str, flavour: str) -> Refusal:
    """Return the message of a command that cannot connect to the server."""
    if command == "qdel":
        return Refusal(f"Connection refused\nCouldn't connect to cluster: {server}\n", 162)
    if command == "qsub" and flavour != MAIN:
        server = server[:7]  # the release prints only that much
    return _no_connection("Connection refused", command, server, 162 if command == "qsub" else 255)


def network_down(command: str, server: str) -> Refusal:
    """Return the message of a command on a login host without network."""
    return _no_connection("Network is unreachable", command, server, 255 if command == "qstat" else 162)


def _no_connection(reason: str, command: str, server: str, exit_code: int) -> Refusal:
    return Refusal(f"{reason}\n{command}: cannot connect to server {server} (errno=15010)\n", exit_code)
