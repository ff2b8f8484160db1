"""What all commands of PBS share."""

from __future__ import annotations

import time
from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, BadOption, Call, Command, parse_short_options
from parsl.testing.schedulers.pbs.answers import render_json
from parsl.testing.schedulers.pbs.refusals import Refusal, network_down, server_down

VERSION = "pbs_version = 23.06.06\n"


class PBSCommand(Command):
    """A command of PBS: refusals are printed, and a server that is down is reported as by PBS."""

    #: The letters of the options without and with a value.
    flags = ""
    valued = ""
    #: Printed after the message about a wrong option.
    usage = ""

    def answer(self, call: Call) -> Answer:
        try:
            return self.execute(call)
        except Refusal as refusal:
            return Answer("", refusal.message, refusal.exit_code)

    def execute(self, call: Call) -> Answer:
        """Do the command's work, or raise a `Refusal`."""
        raise NotImplementedError

    def failure(self, call: Call) -> Answer | None:
        settings = call.settings
        if call.fault.name == "server-down":
            refusal = server_down(self.name, settings.server, settings.flavour)
        elif call.fault.name == "network-down":
            refusal = network_down(self.name, settings.server)
        else:
            return None
        is_json = self.name == "qstat" and ("json" in call.arguments or "-Fjson" in call.arguments)
        stdout = render_json(settings.flavour, settings.server, time.time(), "Jobs", None) if is_json else ""
        return Answer(stdout, refusal.message, refusal.exit_code)

    def summarize(self, refusals: Sequence[Refusal]) -> tuple[str, int]:
        """Return the text on stderr and the exit code for the refusals of single operands."""
        codes = [refusal.exit_code for refusal in refusals if refusal.exit_code]
        return "".join(f"{self.name}: {refusal.message}\n" for refusal in refusals), codes[-1] if codes else 0

    def parse(self, arguments: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the options and the operands of a command line."""
        try:
            return parse_short_options(arguments, self.flags, self.valued)
        except BadOption as error:
            raise Refusal(f"{self.name}: {error}\n{self.usage}", 2) from None
