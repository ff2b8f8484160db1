"""``parsl clouds list|sweep CONFIG.py``: the machines and pods that Parsl has created, and an end to them."""

from __future__ import annotations

import argparse
import sys
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
List or terminate the machines that Parsl has created in the account of a configuration, and for Kubernetes
the pods and Jobs in its namespace.
    parsl clouds list CONFIG.py            list the machines of all runs that have not ended
    parsl clouds sweep CONFIG.py RUN       terminate the machines of a run, after a question
    parsl clouds sweep CONFIG.py --all     terminate those of all runs, of other users of the account, too
The exit code is 1 if machines are left or the service does not answer, and 2 if there is nothing to ask.
"""
_FAILED, _USAGE_ERROR = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = _parse(arguments)
    try:
        providers = _providers(options.config)
        if not providers:
            return _USAGE_ERROR
        answers = [_act(options, provider) for provider in providers]
        return 0 if all(answers) else _FAILED
    except ParslError as error:
        print_error("clouds", error)
        return _FAILED


def _act(options: argparse.Namespace, provider: Renting) -> bool:
    """List or sweep one cloud; return whether that worked. The others follow if it has not."""
    try:
        if options.action == "list":
            _list(provider)
            return True
        return _sweep(provider, options.run, is_sure=options.yes, takes_all=options.all)
    except ParslError as error:
        print_error("clouds", error)
        return False


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="parsl clouds",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("list", "sweep"))
    parser.add_argument("config", metavar="CONFIG.py[:NAME]", help="a file or module with a Config")
    parser.add_argument("run", metavar="RUN", nargs="?", help="the run, as `parsl clouds list` shows it")
    parser.add_argument("--all", action="store_true", help="sweep the machines of all runs")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    if options.action == "sweep" and bool(options.run) == options.all:
        parser.error("sweep needs either a RUN or --all; `parsl clouds list` shows the runs")
    return options


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
    found = {
        (type(provider), _where(provider)): provider
        for provider in providers
        if isinstance(provider, (MachineProvider, KubernetesProvider))
    }
    if not found:
        print_error("clouds", f"{target} has no provider that rents machines or creates pods.")
    return list(found.values())


def _list(provider: Renting) -> None:
    machines = provider.machines()
    runs = counted(len({one.run for one in machines}), "run")
    print(f"{_where(provider)}: {counted(len(machines), 'machine')} of {runs}")
    for one in sorted(machines, key=lambda one: (one.run, one.block, one.node)):
        print(f"  {one.run}  {one.block}  {one.machine_id}  {one.state.value}")


def _sweep(provider: Renting, run: str | None, *, is_sure: bool, takes_all: bool) -> bool:
    runs = _by_run(provider.machines(None if takes_all else run))
    if not runs:
        print(f"{_where(provider)}: there are no such machines")
        return True
    if not (is_sure or _confirm(provider, runs)):
        return False
    answers = [_sweep_run(provider, name) for name in runs]
    return all(answers)


def _by_run(machines: Iterable[Machine]) -> Mapping[str, list[str]]:
    runs: dict[str, list[str]] = {}
    for machine in machines:
        runs.setdefault(machine.run, []).append(machine.machine_id)
    return runs


def _confirm(provider: Renting, runs: Mapping[str, list[str]]) -> bool:
    for run, machine_ids in runs.items():
        print(f"{_where(provider)}: run {run}: {', '.join(machine_ids)}")
    try:
        answer = input("Terminate these machines? A run that is in progress loses its tasks. [y/N] ")
    except EOFError:
        print("\nNothing was terminated: there is no terminal to ask; use --yes.", file=sys.stderr)
        return False
    return answer.strip().lower() in ("y", "yes")


def _sweep_run(provider: Renting, run: str) -> bool:
    """Sweep one run, and print an error, so that the other runs follow. Return whether that worked."""
    try:
        terminated, left = provider.sweep(run)
    except ParslError as error:
        print_error("clouds", f"machines of run {run} may be running, and cost money: {error}")
        return False
    print(f"{_where(provider)}: run {run}: terminated {', '.join(terminated) or 'nothing'}")
    if left:
        print_error("clouds", f"these machines are still running, and cost money: {', '.join(left)}")
    return not left


def _where(provider: Renting) -> str:
    from parsl.providers.kubernetes.kube import KubernetesProvider

    if isinstance(provider, KubernetesProvider):
        return provider.place
    cloud = provider.cloud
    return " ".join((cloud.service, *cloud.address().values()))
