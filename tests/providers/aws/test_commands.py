"""``parsl clouds`` and ``parsl doctor`` with a configuration for EC2."""

from __future__ import annotations

import re

import pytest

from parsl.cli.main import main
from parsl.providers.aws import checks
from parsl.providers.aws.ec2 import Ec2
from parsl.providers.aws.service import InstanceOptions
from parsl.providers.machines import sweep
from parsl.providers.machines.cloud import MachineSpec
from tests.support.clouds import ec2 as ec2_stand_in
from tests.support.clouds.ec2 import IMAGE, REGION

CONFIG = """
from parsl import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import AWSProvider

provider = AWSProvider({image!r}, None, region={region!r}, max_blocks=5, worker_init="no-such-command",
    max_machine_hours=7)
config = Config(executors=[HighThroughputExecutor(label="cloud", provider=provider)])
"""


@pytest.fixture
def config(ec2, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "PAUSE_S", 0.01)
    path = tmp_path / "config.py"
    path.write_text(CONFIG.format(image=IMAGE, region=REGION))
    return str(path)


@pytest.fixture
def machines(ec2):
    service = Ec2(REGION, options=InstanceOptions(IMAGE, "t2.small"))
    specs = [MachineSpec(run, f"parsl-{run}-0", 0, "#!/bin/bash\n", 60) for run in ("one", "two")]
    return [created.machine_id for created in service.create(specs)]


def test_list(config, machines, capsys):
    assert main(["clouds", "list", config]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == f"EC2 {REGION}: 2 machines of 2 runs"
    assert re.search(rf"one  parsl-one-0  {machines[0]}  running  .* s old\n", out)


def test_sweep_one_run(config, machines, ec2, capsys):
    assert main(["clouds", "sweep", config, "one", "--yes"]) == 0
    assert f"run one: terminated {machines[0]}" in capsys.readouterr().out
    assert ec2.instances() == [machines[1]]


def test_sweep_all_runs_but_not_the_machines_of_others(config, machines, ec2):
    client = Ec2(REGION).client
    (other,) = client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"]
    assert main(["clouds", "sweep", config, "--all", "--yes"]) == 0
    assert ec2.instances() == [other["InstanceId"]]


@pytest.mark.parametrize(("answer", "left"), [("y", 1), ("", 2), ("no", 2)])
def test_sweep_waits_for_an_answer(config, machines, ec2, monkeypatch, answer, left):
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    assert main(["clouds", "sweep", config, "one"]) == left - 1
    assert len(ec2.instances()) == left


def test_a_sweep_without_a_run_is_refused(config, capsys):
    with pytest.raises(SystemExit):
        main(["clouds", "sweep", config])
    assert "either a RUN or --all" in capsys.readouterr().err


def test_a_sweep_of_nothing(config, capsys):
    assert main(["clouds", "sweep", config, "unknown", "--yes"]) == 0
    assert "there are no such machines" in capsys.readouterr().out


def test_a_service_that_refuses(config, ec2, capsys):
    ec2.fault = lambda action: (401, "AuthFailure", "AWS was not able to validate the credentials")
    assert main(["clouds", "list", config]) == 1
    assert "AuthFailure: AWS was not able" in capsys.readouterr().err


def test_the_other_clouds_are_listed_if_one_does_not_answer(config, ec2, capsys):
    with open(config, "a") as file:
        file.write(
            f"other = Config(executors=[HighThroughputExecutor(provider=AWSProvider({IMAGE!r}, None, "
            "region='us-west-2'), address='127.0.0.1')])\n"
        )
    left = [(401, "AuthFailure", "AWS was not able to validate the credentials")]
    ec2.fault = lambda action: left.pop() if left else None
    assert main(["clouds", "list", config]) == 1
    out, err = capsys.readouterr()
    assert out.count("0 machines") == 1
    assert "AuthFailure" in err


def test_credentials_that_cannot_be_read(config, monkeypatch, capsys):
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert main(["clouds", "list", config]) == 1
    assert "missing" in capsys.readouterr().err


def test_a_wrong_region_is_found_without_a_request(config, ec2, tmp_path, capsys):
    path = tmp_path / "config.py"
    path.write_text(CONFIG.format(image=IMAGE, region="us-est-2"))
    assert main(["clouds", "list", str(path)]) == 1
    assert "boto3 knows no region 'us-est-2'. Close names: " in capsys.readouterr().err
    assert ec2.requests == []


def test_no_credentials(config, monkeypatch, tmp_path, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "missing"))
    assert main(["clouds", "list", config]) == 1
    advice = "Unable to locate credentials. Run `aws configure`, or pass profile."
    assert advice in " ".join(capsys.readouterr().err.split())


def test_a_page_of_a_proxy_is_not_shown_as_a_whole(config, ec2, monkeypatch, capsys):
    page = "<html><head><title>403 Forbidden</title><body>" + "<p>Nothing here.</p>" * 100
    monkeypatch.setattr(ec2_stand_in, "_error", lambda *_: page.encode())
    monkeypatch.setattr(checks, "DEADLINE_S", 0.0)
    ec2.fault = lambda action: (403, "", "")
    assert main(["clouds", "list", config]) == 1
    err = capsys.readouterr().err
    assert "a page of HTML: 403 Forbidden Nothing here." in " ".join(err.split())
    assert "<p>" not in err


def test_a_configuration_without_a_cloud(tmp_path, capsys):
    path = tmp_path / "config.py"
    path.write_text("from parsl.configs import htex_local\nconfig = htex_local.config\n")
    assert main(["clouds", "list", str(path)]) == 2
    assert "no provider that rents machines" in capsys.readouterr().err


def test_the_doctor_checks_without_starting_anything(config, ec2, monkeypatch, capsys):
    monkeypatch.setattr("parsl.cli.checkup.host.get_all_addresses", lambda: {"127.0.0.1", "10.0.0.7"})
    assert main(["doctor", config]) == 0
    out = capsys.readouterr().out
    assert "EC2 would start this machine" in out
    assert "max_blocks=5 costs about 0.10 dollars an hour (an estimate)." in out
    assert "no-such-command" not in out
    assert "Each run is limited to 7 machine-hours" in " ".join(out.split())
    assert "the nodes have to reach 10.0.0.7" in " ".join(out.split())
    assert ec2.instances() == []


def test_the_doctor_reports_the_service_own_words(config, ec2, capsys):
    ec2.vcpu_quota = 0.0
    assert main(["doctor", config]) == 1
    assert "ERROR   quota: the quota 'vCPUs' allows 0 vCPUs" in capsys.readouterr().out


def test_the_doctor_without_an_answer(config, ec2, monkeypatch, capsys):
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert main(["doctor", config]) == 1
    assert "missing" in capsys.readouterr().out


def test_the_other_runs_are_swept_if_one_cannot_be(config, machines, ec2, capsys):
    refusals = [(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")]

    def refuse_first(action):
        return refusals.pop() if refusals and action == "TerminateInstances" else None

    ec2.fault = refuse_first
    assert main(["clouds", "sweep", config, "--all", "--yes"]) == 1
    out, err = capsys.readouterr()
    assert "machines of run one may be running, and cost money" in err
    assert f"run two: terminated {machines[1]}" in out
    assert ec2.instances() == [machines[0]]
