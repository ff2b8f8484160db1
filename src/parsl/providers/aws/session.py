"""Sessions of boto3: credentials, and clients that leave retries to Parsl."""

from __future__ import annotations

import json
from typing import Any

from parsl.errors import ConfigurationError, OptionalModuleMissing

#: The limits of a connection and of an answer, in seconds.
_CONNECT_S, _ANSWER_S = 10, 30
_INSTALL = "AWSProvider uses the AWS SDK: pip install 'parsl[aws]'."


def make_session(region: str, profile: str | None, key_file: str | None) -> Any:
    """Return a session of boto3.

    Without a profile and a file, boto3 looks for credentials in the environment, in ``~/.aws`` and, on an
    instance, in the instance's role.

    Args:
        region: The region.
        profile: The name of a profile in ``~/.aws``.
        key_file: A JSON file with ``AWSAccessKeyId`` and ``AWSSecretKey``.

    Raises:
        OptionalModuleMissing: boto3 is not installed.
        ConfigurationError: There is no such profile, or the file cannot be read.
    """
    try:
        import boto3
        from botocore.exceptions import ProfileNotFound
    except ImportError as error:
        raise OptionalModuleMissing(["boto3"], f"{_INSTALL} The import failed: {error}.") from error
    keys: dict[str, Any] = {} if key_file is None else _read_keys(key_file)
    try:
        return boto3.session.Session(region_name=region, profile_name=profile, **keys)
    except ProfileNotFound as error:
        raise ConfigurationError(f"AWSProvider: profile is {profile!r}: {error}.") from error


def make_client(session: Any, service: str, region: str) -> Any:
    """Return a client without retries of its own."""
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": 1}, connect_timeout=_CONNECT_S, read_timeout=_ANSWER_S,
        user_agent_extra="parsl",
    )  # fmt: skip
    return session.client(service, region_name=region, config=config)


def _read_keys(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            keys = json.load(file)
        return {
            "aws_access_key_id": keys["AWSAccessKeyId"],
            "aws_secret_access_key": keys["AWSSecretKey"],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"AWSProvider: key_file {path!r} cannot be used: {type(error).__name__}: {error}. It contains "
            '{"AWSAccessKeyId": "...", "AWSSecretKey": "..."}. Better leave it out, and use `aws configure`.'
        ) from error
