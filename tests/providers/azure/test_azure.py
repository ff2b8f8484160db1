"""The parameters of AzureProvider."""

from __future__ import annotations

import os
import subprocess
import sys
from inspect import signature

import pytest

import parsl.providers
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.providers.azure.azure import AzureProvider
from parsl.validate import ParameterError
from tests.providers.azure.conftest import VM_REFERENCE


def test_parameters_and_defaults_are_those_of_existing_scripts():
    parameters = list(signature(parsl.providers.AzureProvider).parameters.values())
    positional = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert (positional[0].name, positional[0].default) == ("vm_reference", positional[0].empty)
    assert [(one.name, one.default) for one in positional[1:-1]] == [
        ("init_blocks", 1),
        ("min_blocks", 0),
        ("max_blocks", 10),
        ("parallelism", 1),
        ("worker_init", ""),
        ("location", "westus"),
        ("group_name", "parsl.group"),
        ("key_name", None),
        ("key_file", None),
        ("vnet_name", "parsl.vnet"),
        ("linger", False),
    ]
    assert repr(positional[-1].default) == "SingleNodeLauncher(debug=True, fail_on_any=False)"


def test_repr_hides_the_password():
    provider = AzureProvider({**VM_REFERENCE, "password": "secret-secret"})
    assert "secret-secret" not in repr(provider)
    assert "'password': '***'" in repr(provider)
    with pytest.raises(ParameterError) as caught:
        AzureProvider({"vm_size": "x", "password": "secret-secret"})
    assert "vm_reference is {'vm_size': 'x', 'password': '***'} (dict)" in str(caught.value)
    assert "<unrecorded>" not in repr(provider)
    assert provider.vm_reference["password"] == "secret-secret"
    assert provider.label == "azure"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"vm_reference": "Standard_D2"}, "expected a dict with publisher"),
        ({"vm_reference": {}}, "a vm_size"),
        ({"vm_reference": {"vm_size": "x", "publisher": "p"}}, "offer and sku of an image"),
        ({"vm_reference": {**VM_REFERENCE, "disk_size": 3}}, "no 'disk_size'"),
        ({"vm_reference": {**VM_REFERENCE, "disk_size_gb": 0}}, r"disk_size_gb'\] is 0"),
        ({"vm_reference": {**VM_REFERENCE, "admin_username": "root"}}, "Azure accepts"),
        ({"vm_reference": {**VM_REFERENCE, "password": "x"}}, "6 to 72 characters"),
        ({"vm_reference": {**VM_REFERENCE, "plan": "p"}}, r"plan'\] is 'p'"),
        ({"vm_reference": {**VM_REFERENCE, "plan": {"name": "n"}}}, "name, publisher, product"),
        ({"vm_reference": {**VM_REFERENCE, "plan": {"name": 1}}}, "name, publisher, product"),
        ({"vm_reference": {**VM_REFERENCE, "version": 24.04}}, "expected text"),
        ({"tags": {"parsl-run": "x"}}, "not begin with 'parsl-'"),
        ({"tags": ["x"]}, "tags is"),
        ({"endpoint": "http://somewhere"}, "https://"),
        ({"spot_max_price": 0}, "spot_max_price"),
        ({"walltime": "soon"}, "walltime"),
        ({"max_machine_hours": -1}, "max_machine_hours"),
    ],
)
def test_wrong_values(changed, words):
    with pytest.raises(ConfigurationError, match=words):
        AzureProvider(**{"vm_reference": VM_REFERENCE, **changed})


def test_libraries_are_imported_when_they_are_used():
    code = (
        "import sys; from parsl.providers import AzureProvider; "
        "AzureProvider({'vm_size': 'x', 'image_id': '/i'}); assert 'azure.core' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
    )


def test_missing_libraries(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "azure.mgmt.compute", None)
    provider = AzureProvider(VM_REFERENCE, subscription_id="s")
    with pytest.raises(OptionalModuleMissing, match=r"pip install 'parsl\[azure\]'"):
        provider.check()


def test_a_wrong_password_is_not_shown():
    with pytest.raises(ConfigurationError) as caught:
        AzureProvider({**VM_REFERENCE, "password": "abcd!", "unknown": 1})
    assert "abcd!" not in str(caught.value)
