"""Apps that are methods, as type checkers see them."""

from __future__ import annotations

from typing_extensions import assert_type

from parsl import bash_app, python_app


class Model:
    """Something with apps in it."""

    @python_app
    def run(self, steps: int) -> str:
        return "x" * steps

    @bash_app(cache=True)
    def shell(self, name: str) -> str:
        return f"echo {name}"


model = Model()
assert_type(model.run(3).result(), str)
assert_type(model.shell("a").result(), int)
assert_type(Model.run(model, 3).result(), str)
model.run(model.run(3))
model.run("3")  # error: [call-overload]
model.run()  # error: [call-overload]
model.shell(1)  # error: [call-overload]
