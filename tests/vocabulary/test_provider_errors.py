from __future__ import annotations

import pickle

import pytest

from parsl.errors import ParslError
from parsl.providers.errors import (
    ExecutionProviderException,
    ScaleOutFailed,
    SchedulerMissingArgs,
    ScriptPathError,
    SubmitException,
)

ERRORS = [
    (ScaleOutFailed("slurm", "no nodes"), "Unable to scale out with provider slurm: no nodes"),
    (SchedulerMissingArgs(["account", "queue"], "pbspro"), "pbspro needs parameters .*: account, queue"),
    (ScriptPathError("/x/y.sh", "disk full"), "job script /x/y.sh: disk full"),
    (SubmitException("job", "qsub failed"), r"Unable to submit the job job: qsub failed\Z"),
    (
        SubmitException("job", "qsub failed", "o", "bad queue", 2),
        "exit code 2.\nIts stdout: o\nIts stderr: bad",
    ),
]


@pytest.mark.parametrize(("error", "message"), ERRORS)
def test_message(error, message):
    assert isinstance(error, ExecutionProviderException)
    assert isinstance(error, ParslError)
    with pytest.raises(type(error), match=message):
        raise error


@pytest.mark.parametrize("error", [error for error, _ in ERRORS])
def test_survives_pickling(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_submit_exception_keeps_the_older_name_of_the_job():
    assert SubmitException("job", "m").task_name == "job"
