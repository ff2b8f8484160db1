"""A stand-in for EC2, which boto3 finds in the environment."""

from __future__ import annotations

import pytest

pytest.importorskip("moto", reason="the extra dev is not installed")

import botocore.loaders

from tests.support.clouds.ec2 import StandInEc2

#: Reading botocore's description of EC2 takes most of the time of a test.
_LOADER = botocore.loaders.create_loader()


@pytest.fixture
def ec2(tmp_path, monkeypatch):
    monkeypatch.setattr("botocore.loaders.create_loader", lambda search_path=None: _LOADER)
    stand_in = StandInEc2(tmp_path / "machines")
    for name, value in stand_in.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield stand_in
    stand_in.close()
