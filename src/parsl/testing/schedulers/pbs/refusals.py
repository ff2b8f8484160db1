"""What PBS says and which exit code it gives when it does not do what it is asked to."""

from __future__ import annotations

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

#: Exit codes.
UNKNOWN_JOB = 153
JOB_FINISHED = 35
UNKNOWN_QUEUE = 170
SERVER_DOWN = 162
SERVER_DOWN_QSTAT = 255


class Refusal(Exception):
    """A command is refused.

    Args:
        message: All that is written to stderr.
        exit_code: How the command ends.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message, exit_code)
        self.message = message
        self.exit_code = exit_code


def _qsub(text: str, exit_code: int) -> Refusal:
    return Refusal(f"qsub: {text}\n", exit_code)


def bad_option(reason: str) -> Refusal:
    """An option of qsub's command line is wrong; ``reason`` is getopt's."""
    return Refusal(f"qsub: {reason}\n{QSUB_USAGE}", 2)


def bad_directive(reason: str, option: str) -> Refusal:
    """An option in the script is wrong."""
    return Refusal(f"qsub: {reason}\nqsub: directive error: {option} \n", 1)


def bad_name() -> Refusal:
    """The job's name has characters that it must not have."""
    return Refusal(f"qsub: illegal -N value\n{QSUB_USAGE}", 2)


def long_name() -> Refusal:
    """The job's name is too long."""
    return _qsub("Job name is too long ", 2)


def no_script() -> Refusal:
    """There is no such script."""
    return _qsub("script file:: No such file or directory", 1)


def no_terminal() -> Refusal:
    """An interactive job without a terminal."""
    return Refusal(
        "qsub:\tstandard input and output must be a terminal for\n\tinteractive job submission\n", 1
    )


def bad_resource(name: str) -> Refusal:
    """There is no such resource."""
    return _qsub(f"Unknown resource Resource_List.{name}", 187)


def bad_select(name: str) -> Refusal:
    """There is no such resource of a chunk."""
    return _qsub(f"Unknown resource: {name}", 187)


def bad_value(name: str) -> Refusal:
    """A resource has a value that it cannot have."""
    return _qsub(f"Illegal attribute or resource value Resource_List.{name}", 166)


def bad_queue() -> Refusal:
    """There is no such queue."""
    return _qsub("Unknown queue", UNKNOWN_QUEUE)


def queue_disabled() -> Refusal:
    """The queue takes no jobs."""
    return _qsub("Queue is not enabled", 173)


def over_limit() -> Refusal:
    """The job wants more than the queue allows."""
    return _qsub("Job violates queue and/or server resource limits", 188)


def over_user_limit() -> Refusal:
    """The user has too many jobs in the queue."""
    return _qsub("would exceed queue generic's per-user limit", 38)


def no_account() -> Refusal:
    """The site's rule about accounts."""
    return _qsub("Account_Name is required to be set.", 32)


def no_resource(name: str) -> Refusal:
    """The site's rule about a resource."""
    return _qsub(f"Resource: {name} is required to be set.", 32)


def server_down(command: str, server: str, flavour: str) -> Refusal:
    """Nobody listens where the server should be."""
    if command == "qdel":
        return Refusal(f"Connection refused\nCouldn't connect to cluster: {server}\n", SERVER_DOWN)
    if command == "qsub" and flavour != "main-2026-04":
        # That version shows no more than the first seven characters.
        server = server[:7]
    code = SERVER_DOWN if command == "qsub" else SERVER_DOWN_QSTAT
    return Refusal(f"Connection refused\n{command}: cannot connect to server {server} (errno=15010)\n", code)


def network_down(command: str, server: str) -> Refusal:
    """The login host has no network."""
    code = SERVER_DOWN_QSTAT if command == "qstat" else SERVER_DOWN
    return Refusal(
        f"Network is unreachable\n{command}: cannot connect to server {server} (errno=15010)\n", code
    )


#: Refusals of qsub that can be asked for by name.
QSUB_REFUSALS = {
    "bad-queue": bad_queue,
    "queue-disabled": queue_disabled,
    "over-limit": over_limit,
    "over-user-limit": over_user_limit,
    "no-account": no_account,
    "no-walltime": lambda: no_resource("walltime"),
    "no-filesystems": lambda: no_resource("filesystems"),
    "bad-walltime": lambda: bad_value("walltime"),
    "bad-resource": lambda: bad_resource("nosuch"),
    "bad-select": lambda: bad_select("nosuch"),
    "no-script": no_script,
    "no-terminal": no_terminal,
}
