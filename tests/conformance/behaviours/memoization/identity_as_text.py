"""Functions that are registered with id_for_memo may return strings."""

from observe import threads

from parsl import python_app
from parsl.dataflow.memoization import id_for_memo


class Molecule:
    def __init__(self, name):
        self.name = name


@id_for_memo.register(Molecule)
def _(molecule, output_ref=False):
    return molecule.name


calls = []


@python_app(cache=True)
def weigh(molecules):
    calls.append(molecules)
    return len(calls)


if __name__ == "__main__":
    with threads():
        print([weigh([Molecule(name)]).result() for name in ("water", "ozone", "water")])

# prints:
# [1, 2, 1]
