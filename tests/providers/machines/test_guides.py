"""The examples in the guides for clouds: configurations that can be made, with all that machines need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parsl import Config

_GUIDES = Path(__file__).parents[3] / "docs" / "guide" / "clouds"


def examples(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (_GUIDES / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["azure.md", "google.md"])
def test_the_first_example_installs_parsl_and_names_the_drivers_address(page):
    namespace: dict[str, object] = {}
    exec(examples(page)[0], namespace)
    config = namespace["config"]
    assert isinstance(config, Config)
    (executor,) = config.executors
    assert executor.address
    snippet = executor.provider.worker_init.strip()
    assert snippet in (_GUIDES / "index.md").read_text()
