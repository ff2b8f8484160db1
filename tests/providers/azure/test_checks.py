"""What `parsl.load` and `parsl doctor` report about a configuration, in the words of the service."""

from __future__ import annotations

import sys

import pytest

import parsl
from parsl import Config
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.providers.azure.azure import AzureProvider
from parsl.testing.provider_conformance import block_executor
from parsl.vocabulary.findings import ERROR, NOTE, OK, WARNING
from tests.providers.azure.conftest import VM_REFERENCE
from tests.support.clouds.azure_account import CLIENT, SECRET, SUBSCRIPTION, TENANT

GROUP = "parsl.group"
NETWORK = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    "/providers/Microsoft.Network/virtualNetworks/parsl.vnet"
)


def findings_of(provider, level: str) -> dict[str, str]:
    return {one.topic: f"{one.text} {one.advice}" for one in provider.check() if one.level == level}


def refusal(provider) -> str:
    with pytest.raises(ConfigurationError) as caught:
        provider.prepare("run")
    return str(caught.value)


def test_all_is_well_and_nothing_is_made(stand_in, make_provider):
    provider = make_provider()
    assert {finding.level for finding in provider.check()} == {OK}
    assert findings_of(provider, OK)["quota"] == "the quotas of westus allow the 4 cores of max_blocks "
    assert findings_of(provider, OK)["vm_size"].startswith("Standard_D2s_v5 has 2 cores")
    assert {method for method, _ in stand_in.requests} == {"GET"}
    provider.prepare("run")
    provider.close()
    assert stand_in.account.groups == {}


def test_a_wrong_secret(stand_in, make_provider):
    stand_in.write_keys(AZURE_CLIENT_SECRET="wrong")
    message = refusal(make_provider())
    assert "AADSTS7000215: Invalid client secret provided" in message
    assert "key file" in message


def test_a_wrong_client(stand_in, make_provider):
    stand_in.write_keys(AZURE_CLIENT_ID="44444444-aaaa-4bbb-8ccc-000000000004")
    assert "AADSTS700016" in refusal(make_provider())


def test_a_wrong_tenant(stand_in, make_provider):
    stand_in.write_keys(AZURE_TENANT_ID="44444444-aaaa-4bbb-8ccc-000000000004")
    assert "AZURE_TENANT_ID" in refusal(make_provider())


def test_a_wrong_subscription(stand_in, make_provider):
    message = refusal(make_provider(subscription_id="44444444-aaaa-4bbb-8ccc-000000000004"))
    assert "The subscription '44444444-aaaa-4bbb-8ccc-000000000004' could not be found." in message
    assert "az account list" in message


def test_a_wrong_location(make_provider):
    message = refusal(make_provider(location="atlantis"))
    assert "The provided location 'atlantis' is not available" in message


def test_a_location_by_its_title(stand_in, make_provider):
    assert findings_of(make_provider(location="West US"), ERROR) == {}


@pytest.mark.parametrize("version", ["latest", "1.2.3"])
def test_a_wrong_image(make_provider, version):
    message = refusal(make_provider(vm_reference={**VM_REFERENCE, "offer": "beos", "version": version}))
    assert "Canonical:beos:server" in message
    assert "VMImage was not found" in message


def test_a_wrong_version_of_an_image(make_provider):
    assert "VMImage was not found" in refusal(
        make_provider(vm_reference={**VM_REFERENCE, "version": "1.2.3"})
    )


def test_an_image_of_the_user_is_seen_later(make_provider):
    image = {"image_id": "/subscriptions/s/images/mine", "vm_size": "Standard_D2s_v5"}
    assert "mine" in findings_of(make_provider(vm_reference=image), NOTE)["image"]


def test_a_wrong_size(make_provider):
    message = refusal(make_provider(vm_reference={**VM_REFERENCE, "vm_size": "Standard_X1"}))
    assert "Azure has no vm_size 'Standard_X1' in westus." in message


def test_a_size_that_the_subscription_may_not_use(stand_in, make_provider):
    stand_in.account.restricted["Standard_D2s_v5"] = "NotAvailableForSubscription"
    assert "NotAvailableForSubscription" in refusal(make_provider())


def test_no_quota_for_one_block(stand_in, make_provider):
    stand_in.account.limits["standardDSv5Family"] = 3
    message = refusal(make_provider(nodes_per_block=2))
    assert "2 machines of Standard_D2s_v5 need 4 cores, but the quota 'standardDSv5Family' in" in message
    assert "westus allows 3." in message
    stand_in.account.limits["standardDSv5Family"] = 0
    assert "1 machine of Standard_D2s_v5 needs 2 cores" in refusal(make_provider())


def test_no_quota_for_all_blocks_is_a_warning(stand_in, make_provider):
    stand_in.account.limits["cores"] = 4
    provider = make_provider(max_blocks=5)
    assert "5 machines of Standard_D2s_v5 need 10 cores" in findings_of(provider, WARNING)["quota"]


def test_the_quota_of_spot_machines_is_another_one(stand_in, make_provider):
    stand_in.account.limits["lowPriorityCores"] = 0
    assert findings_of(make_provider(), ERROR) == {}
    assert "lowPriorityCores" in refusal(make_provider(spot=True))
    assert "lowPriorityCores" in refusal(make_provider(spot_max_price=0.05))


def test_a_size_with_gpus(stand_in, make_provider):
    provider = make_provider(vm_reference={**VM_REFERENCE, "vm_size": "Standard_NC4as_T4_v3"})
    assert findings_of(provider, ERROR) == {}
    assert "has 1 GPU. Set available_accelerators=1" in findings_of(provider, NOTE)["vm_size"]
    stand_in.account.limits["Standard NCASv3_T4 Family"] = 3
    message = refusal(provider)
    assert "1 machine of Standard_NC4as_T4_v3 needs 4 cores" in message
    assert "the quota 'Standard NCASv3_T4 Family' in westus allows 3." in message


def test_the_client_libraries_come_before_the_subscription(make_provider, monkeypatch, tmp_path):
    provider = make_provider(key_file=None)
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "azure"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "azure.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OptionalModuleMissing, match=r"parsl\[azure\].*The import failed: .*/azure\.py"):
        provider.prepare("run")


def test_no_permission_to_create_machines(stand_in, make_provider):
    stand_in.account.denied.add("Microsoft.Compute/virtualMachines/write")
    message = refusal(make_provider())
    assert "lacks permissions" in message
    assert "Microsoft.Compute/virtualMachines/write" in message
    assert "Virtual Machine Contributor" in message


def test_no_permission_for_public_addresses_matters_only_for_them(stand_in, make_provider):
    stand_in.account.denied.add("Microsoft.Network/publicIPAddresses/write")
    assert findings_of(make_provider(), ERROR) == {}
    assert "publicIPAddresses/write" in findings_of(make_provider(public_address=True), ERROR)["permissions"]


def test_no_permission_to_read_consoles_is_a_note(stand_in, make_provider):
    stand_in.account.denied.add("Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action")
    assert findings_of(make_provider(), ERROR) == {}
    assert "consoles of machines" in findings_of(make_provider(), NOTE)["permissions"]


def test_no_permission_to_make_a_network_matters_only_without_one(stand_in, make_provider):
    stand_in.account.denied.add("Microsoft.Network/virtualNetworks/write")
    assert "Microsoft.Network/virtualNetworks/write" in refusal(make_provider())
    stand_in.account.groups[GROUP] = {"name": GROUP, "location": "westus"}
    subnets = {"subnets": [{"name": "mine"}]}
    stand_in.account.networks[NETWORK.lower()] = {"location": "westus", "properties": subnets}
    for subnet in (None, "mine", f"{NETWORK}/subnets/mine"):
        assert findings_of(make_provider(subnet=subnet), ERROR) == {}


def test_a_missing_subnet(make_provider):
    message = refusal(make_provider(subnet=f"{NETWORK}/subnets/other"))
    assert "ResourceNotFound" in message


def test_a_network_in_another_location(stand_in, make_provider):
    stand_in.account.groups[GROUP] = {"name": GROUP, "location": "westus"}
    stand_in.account.networks[NETWORK.lower()] = {"location": "westeurope", "properties": {}}
    assert "is in westeurope, not in westus" in refusal(make_provider())


def test_others_can_read_the_key_file(stand_in, make_provider):
    stand_in.key_file.chmod(0o644)
    assert "chmod 600" in findings_of(make_provider(), WARNING)["credentials"]


def test_no_permission_to_read(stand_in, make_provider):
    stand_in.account.denied.add("Microsoft.Resources/subscriptions/resourceGroups/read")
    message = refusal(make_provider())
    assert "does not have authorization to perform action" in message


def test_a_missing_public_key(stand_in, make_provider):
    assert "sshPublicKeys/mine' under resource group" in refusal(make_provider(key_name="mine"))
    stand_in.account.public_keys["mine"] = "ssh-ed25519 AAAA"
    assert findings_of(make_provider(key_name="mine"), OK)["key_name"].startswith("mine exists")


def test_credentials_from_the_environment(stand_in, make_provider, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    assert findings_of(make_provider(key_file=None), ERROR) == {}
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    assert "no subscription is named" in refusal(make_provider(key_file=None))


def test_missing_credentials_are_one_sentence_and_not_logged_as_well(make_provider, monkeypatch, caplog):
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    monkeypatch.delenv("AZURE_CLIENT_ID", raising=False)
    (text,) = findings_of(make_provider(key_file=None), ERROR).values()
    assert "\n" not in text
    assert "az login" in text
    assert not [record for record in caplog.records if record.name.startswith("azure.identity")]


@pytest.mark.parametrize(
    ("content", "words"),
    [("{}", "has no AZURE_CLIENT_ID and no AZURE_CLIENT_SECRET"), ("[]", "no JSON object"), ("no", "read")],
)
def test_key_files_that_cannot_be_used(stand_in, make_provider, content, words):
    stand_in.key_file.write_text(content)
    assert words in refusal(make_provider())


def test_a_missing_key_file(tmp_path):
    provider = AzureProvider(VM_REFERENCE, key_file=str(tmp_path / "missing.json"))
    assert "missing.json" in refusal(provider)


def test_cost_of_all_blocks(make_provider):
    assert make_provider(max_blocks=3, nodes_per_block=2, price_per_hour=0.5).hourly_cost() == 3


def test_parsl_load_fails_with_the_words_of_the_service(stand_in, make_provider, tmp_path):
    stand_in.write_keys(AZURE_CLIENT_SECRET="wrong")
    config = Config(executors=[block_executor(make_provider())], run_dir=str(tmp_path / "runinfo"))
    with pytest.raises(ConfigurationError, match="AADSTS7000215: Invalid client secret provided"):
        parsl.load(config)
    assert stand_in.machine_names() == []
