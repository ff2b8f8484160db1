"""The base errors."""

from __future__ import annotations

import pickle

import pytest

from parsl import errors
from parsl.errors import OptionalModuleMissing, ParslError


@pytest.mark.parametrize("name", ["ConfigurationError", "InternalConsistencyError", "NoDataFlowKernelError"])
def test_all_have_one_base(name):
    assert issubclass(getattr(errors, name), ParslError)


def test_optional_module_missing_keeps_its_attributes():
    error = pickle.loads(pickle.dumps(OptionalModuleMissing(["flux", "boto3"], "FluxExecutor needs them.")))
    assert (error.module_names, error.reason) == (["flux", "boto3"], "FluxExecutor needs them.")
    assert "flux, boto3. FluxExecutor needs them." in str(error)
