"""``parsl clouds list|sweep config.py``: the machines and pods that Parsl has created, and an end to them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping, Sequence

from parsl.cli import counted, print_error
from parsl.errors import ParslError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.providers.kubernetes.kube import KubernetesProvider
    from parsl.providers.machines.cloud import Machine
    from parsl.providers.machines.provider import MachineProvider

    Renting = MachineProvider | KubernetesProvider

_DESCRIPTION = """\
List or terminate the machines that Parsl has created, with the credentials of a configuration: on AWS those
in its region, on Google Cloud in the whole project, on Azure in the resource group; for Kubernetes the pods
and Jobs in the namespace.
    parsl clouds list config.py            list the machines of all runs that have not ended
    parsl clouds list config.py RUN        list those of one run
    parsl clouds sweep config.py RUN       terminate the machines of a run, after confirmation
    parsl clouds sweep config.py --all     terminate those of all runs, also of other users of the account
The exit code is 1 if machines are left or the service does not answer, 2 if the arguments or the
configuration cannot be used, and 130 after Ctrl-C.
"""
_FAILED, _USAGE_ERROR = 1, 2
#: What a shell reports about a program that the signal SIGINT has ended.
_INTERRUPTED = 128 + 2
#: Parts of an address that do not show a user where the machines are.
_NOT_SHOWN = ("subscription_id", "key_file", "endpoint", "api_endpoint")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = _parse(arguments)
    try:
        return _Command(options).run()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        print_error("clouds", "interrupted. `parsl clouds list` shows the machines that are left.")
        return _INTERRUPTED


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="parsl clouds",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("list", "sweep"))
    parser.add_argument("config", metavar="config.py[:NAME]", help="a file or module with a Config")
    parser.add_argument("run", metavar="RUN", nargs="?", help="the run, as `parsl clouds list` shows it")
    parser.add_argument("--all", action="store_true", help="sweep the machines of all runs")
    parser.add_argument("--yes", action="store_true", help="sweep without confirmation")
    parser.add_argument("--json", action="store_true", help="print JSON; sweep needs --yes as well")
    options = parser.parse_intermixed_args(arguments)
    if options.run == "":
        parser.error("RUN is empty; `parsl clouds list` shows the runs")
    if options.action == "list" and (options.all or options.yes):
        parser.error("list takes neither --all nor --yes: without RUN, it lists all runs")
    if options.action == "sweep" and bool(options.run) == options.all:
        parser.error("sweep needs either a RUN or --all; `parsl clouds list` shows the runs")
    if options.action == "sweep" and options.json and not options.yes:
        parser.error("sweep --json does not ask for confirmation: add --yes")
    return options


class _Command:
    """One call of the command, with what it has found or done."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._rows: list[dict[str, object]] = []
        self._has_failed = False

    def run(self) -> int:
        """List or sweep every cloud of the configuration; the others follow if one has failed."""
        try:
            providers = _providers(self._options.config)
            if not providers:
                return _USAGE_ERROR
            self._act_on(providers)
        finally:  # after an interrupt, too: what has been terminated until then
            if self._options.json:
                from parsl.cli.console import print_json

                print_json(self._rows)
        return _FAILED if self._has_failed else 0

    def _act_on(self, providers: Iterable[Renting]) -> None:
        """List or sweep each set of machines, with the first provider that can."""
        done: set[object] = set()
        for place, scope, provider in self._places(providers):
            if scope in done:
                continue
            try:
                if self._options.action == "list":
                    self._list(place, provider)
                else:
                    self._sweep(place, provider)
            except ParslError as error:
                self._fail(self._explained(error, provider))
            else:
                done.add(scope)

    def _places(self, providers: Iterable[Renting]) -> list[tuple[str, object, Renting]]:
        """Return where the machines of each provider are: for people, and what determines them."""
        found = []
        for provider in providers:
            try:
                found.append((_where(provider), _scope(provider), provider))
            except ParslError as error:
                self._fail(str(error))
        scopes: dict[str, set[object]] = {}
        for place, scope, _ in found:
            scopes.setdefault(place, set()).add(scope)
        return [
            (place if len(scopes[place]) == 1 else _where(provider, is_whole=True), scope, provider)
            for place, scope, provider in found
        ]

    def _list(self, place: str, provider: Renting) -> None:
        from parsl.eventlog.answers import duration

        run = self._options.run
        machines = sorted(provider.machines(run), key=lambda one: (one.run, one.block, one.node))
        of = f"run {run}" if run else counted(len({one.run for one in machines}), "run")
        self._print(f"{place}: {counted(len(machines), 'machine')} of {of}")
        if not machines:
            self._explain_absence(provider)
        now_s = time.time()
        for one in machines:
            age_s = None if one.created_s is None else max(1, round(now_s - one.created_s))
            age = "" if age_s is None else f"{duration(age_s)} old"
            self._print(
                "  " + "  ".join(filter(None, (one.run, one.block, one.machine_id, one.state.value, age)))
            )
            row = {"place": place, "run": one.run, "block": one.block, "id": one.machine_id}
            self._rows.append({**row, "state": one.state.value, "age_s": age_s})

    def _explain_absence(self, provider: Renting) -> None:
        """Print what is known about a place without machines, such as a missing resource group."""
        from parsl.providers.machines.provider import MachineProvider

        if isinstance(provider, MachineProvider):
            for finding in provider.cloud.check_access():
                print(f"  {finding}", file=sys.stderr if self._options.json else sys.stdout)

    def _sweep(self, place: str, provider: Renting) -> None:
        runs = _by_run(provider.machines(None if self._options.all else self._options.run))
        if unnamed := runs.pop("", None):
            tag = "have an empty tag parsl-run; terminate them by hand"
            self._fail(f"{place}: these machines {tag}: {', '.join(unnamed)}")
        if not runs:
            self._print(f"{place}: there are no such machines")
        elif self._options.yes or _confirm(place, runs):
            for run, machine_ids in runs.items():
                self._sweep_run(place, provider, run, machine_ids)
        else:
            self._has_failed = True

    def _sweep_run(self, place: str, provider: Renting, run: str, machine_ids: list[str]) -> None:
        """Sweep one run; the other runs follow if that has failed."""
        terminated: list[str] = []
        left = machine_ids
        try:
            terminated, left = provider.sweep(run)
        except ParslError as error:
            explained = self._explained(error, provider)
            self._fail(f"machines of run {run} may be running, and cost money: {explained}")
        else:
            self._print(f"{place}: run {run}: terminated {', '.join(terminated) or 'nothing'}")
            if left:
                self._fail(f"these machines are still running, and cost money: {', '.join(left)}")
        self._rows.append({"place": place, "run": run, "terminated": terminated, "left": left})

    def _print(self, text: str) -> None:
        if not self._options.json:
            print(text)

    def _fail(self, text: str) -> None:
        self._has_failed = True
        print_error("clouds", text)

    def _explained(self, error: ParslError, provider: Renting) -> str:
        """Return an error with what a user can do."""
        from parsl.providers.api.failure import ServiceError
        from parsl.providers.kubernetes.failures import advice_about
        from parsl.providers.kubernetes.kube import KubernetesProvider
        from parsl.vocabulary.findings import with_advice

        advice = ""
        if isinstance(error, ServiceError) and isinstance(provider, KubernetesProvider):
            advice = advice_about(error, provider.namespace)
        elif isinstance(error, ServiceError) and not error.advice:
            advice = f"`parsl doctor {self._options.config}` checks credentials, region and permissions."
        return with_advice(str(error), advice)


def _providers(target: str) -> list[Renting]:
    from parsl.cli.checkup.config_loading import load_configs
    from parsl.providers.kubernetes.kube import KubernetesProvider
    from parsl.providers.machines.provider import MachineProvider
    from parsl.vocabulary.findings import errors_of

    loaded = load_configs(target)
    for text in errors_of(loaded.findings):
        print_error("clouds", text)
    executors = [executor for config in loaded.configs.values() for executor in config.executors]
    providers = [getattr(executor, "provider", None) for executor in executors]
    found = [one for one in providers if isinstance(one, (MachineProvider, KubernetesProvider))]
    if loaded.configs and not found:
        print_error("clouds", f"{target} has no provider that rents machines or creates pods.")
    return found


def _by_run(machines: Iterable[Machine]) -> dict[str, list[str]]:
    runs: dict[str, list[str]] = {}
    for machine in machines:
        runs.setdefault(machine.run, []).append(machine.machine_id)
    return runs


def _confirm(place: str, runs: Mapping[str, list[str]]) -> bool:
    for run, machine_ids in runs.items():
        print(f"{place}: run {run}: {', '.join(machine_ids)}")
    try:
        answer = input("Terminate these machines? A run that is in progress loses its tasks. [y/N] ")
    except EOFError:
        print("\nNothing was terminated: there is no terminal to ask; use --yes.", file=sys.stderr)
        return False
    return answer.strip().lower() in ("y", "yes")


def _address(provider: MachineProvider) -> dict[str, str]:
    """Return what determines a provider's machines; those of Google are in all regions of a project."""
    address = provider.cloud.address()
    unused = ("region", "version", "key_file") if "project" in address else ()
    return {name: value for name, value in address.items() if name not in unused}


def _scope(provider: Renting) -> object:
    """Return what determines which machines are listed."""
    from parsl.providers.kubernetes.kube import KubernetesProvider

    if isinstance(provider, KubernetesProvider):
        return provider.place
    return type(provider.cloud), tuple(sorted(_address(provider).items()))


def _where(provider: Renting, *, is_whole: bool = False) -> str:
    """Return where a provider's machines are, all that determines them if ``is_whole``."""
    from parsl.providers.kubernetes.kube import KubernetesProvider

    if isinstance(provider, KubernetesProvider):
        return provider.place
    address = _address(provider).items()
    shown = [value for name, value in address if is_whole or name not in _NOT_SHOWN]
    return " ".join((provider.cloud.service, *shown))
