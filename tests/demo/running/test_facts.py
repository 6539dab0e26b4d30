"""Who may assume what, the double's accounts, secrets, and the state folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from demo import run
from demo.aws.accounts import parse
from demo.directory import people
from demo.running import aws_side, entitled, folder
from demo.running.folder import CannotRun
from tests.demo.running.builders import ACCOUNTS, CORP, texts

ROOT = Path(__file__).parents[3]
ADMIN, READ_ONLY = (f"arn:aws:iam::111122223333:role/{name}" for name in ("Admin", "ReadOnly"))
DEVELOPER = "arn:aws:iam::444455556666:role/Developer"


def told(**changed: str) -> dict[str, dict]:
    return {one["username"]: one for one in entitled.demo_people(texts(**changed), people.load())}


def test_each_person_has_the_roles_of_their_groups():
    who = told()
    assert {name: (one["groups"], one["roles"]) for name, one in who.items()} == {
        "ana": (["engineering", "sre"], [ADMIN, READ_ONLY, DEVELOPER]),
        "ben": (["engineering"], [READ_ONLY, DEVELOPER]),
        "chloe": (["finance"], [READ_ONLY]),
        "dan": ([], []),
        "piotr": (["contractors"], [READ_ONLY]),
        "quinn": ([], []),
    }
    assert who["ana"]["password"] == "demo-ana"
    assert who["piotr"]["provider"] == "partner"
    assert set(who["ana"]) == {"username", "password", "provider", "groups", "roles"}


def test_groups_that_are_kept_come_in_under_the_sources_name():
    kept = CORP.replace("groups: {", 'groups: {"*": keep, ')
    assert told(corp=kept)["dan"]["groups"] == ["corp/CN=Facilities,OU=Groups,DC=acme,DC=test"]
    allowed = ACCOUNTS.replace("allow: [sre]", 'allow: ["corp/CN=Facilities,OU=Groups,DC=acme,DC=test"]')
    assert told(corp=kept, accounts=allowed)["dan"]["roles"] == [ADMIN]


@pytest.mark.parametrize(
    ("template", "roles"),
    [
        ("aws:AdministratorAccess", [ADMIN, READ_ONLY, DEVELOPER]),
        ("aws:PowerUserAccess", [READ_ONLY, DEVELOPER]),
        ("aws:ReadOnlyAccess", [READ_ONLY]),
        ("office-hours", [READ_ONLY]),
    ],
)
def test_a_template_that_a_group_carries_opens_roles_by_their_level(template: str, roles: list[str]):
    leveled = ACCOUNTS.replace("Developer: {", "Developer: {level: power, ")
    files = texts(accounts=leveled) | {"groups.yaml": f"finance: {{policies: [{template}]}}\n"}
    who = {one["username"]: one["roles"] for one in entitled.demo_people(files, people.load())}
    assert who["chloe"] == roles


def test_people_of_a_provider_that_is_not_configured_are_left_out():
    files = texts()
    del files["providers/partner.yaml"]
    assert {one["provider"] for one in entitled.demo_people(files, people.load())} == {"corp"}


@pytest.mark.parametrize(
    "broken", ["a: [", "- 1", "", "7", '"1": x', '"1": {roles: [a]}', '"1": {roles: {A: }}']
)
def test_a_broken_file_gives_nobody_a_role(broken: str):
    assert all(one["roles"] == [] for one in told(accounts=broken).values())


def test_the_shipped_configuration_gives_the_roles_that_its_accounts_allow():
    files = folder.read_config(ROOT / "config")
    who = {one["username"]: one["roles"] for one in entitled.demo_people(files, people.load())}
    assert set(who) == {"ana", "ben", "chloe", "dan", "piotr", "quinn", "robin", "sasha"}
    assert ADMIN in who["ana"] and DEVELOPER in who["ben"] and READ_ONLY in who["piotr"]
    assert who["dan"] == who["quinn"] == who["robin"] == who["sasha"] == []
    assert not any("AppUploads" in arn for arns in who.values() for arn in arns), (
        "that is for the app's people"
    )


# --- the double's accounts --------------------------------------------------------------------------

SHIPPED = yaml.safe_load((ROOT / "demo/aws/accounts.yaml").read_text())


def double(accounts: str) -> dict:
    roles = entitled.roles(texts(accounts=accounts))
    environment = {"SANDBOX_EXTERNAL_ID": "s", "OTHER": "an other id"}
    made = aws_side.accounts(SHIPPED, roles, ["eu-north-1"], environment)
    return {role["arn"]: role for role in made["roles"]} | {"": made}


def test_the_shipped_roles_are_left_as_they_are():
    made = double(ACCOUNTS)
    assert made[""]["roles"] == SHIPPED["roles"]
    assert made[""]["users"] == SHIPPED["users"]
    assert "eu-north-1" in made[""]["regions"]


def test_a_role_of_your_own_is_trusted_as_the_broker_will_ask_for_it():
    own = (
        ACCOUNTS + '"777788889999": {name: lab, roles: {Tester: {allow: [sre], external_id: {env: OTHER}}}}\n'
    )
    role = double(own)["arn:aws:iam::777788889999:role/Tester"]
    first = role["trust"]["Statement"][0]
    assert first["Principal"] == {"AWS": SHIPPED["broker"]}
    assert first["Condition"] == {"StringEquals": {"sts:ExternalId": "an other id"}}


def test_a_role_behind_a_hub_of_your_own_gets_that_hub():
    hub = "arn:aws:iam::777788889999:role/Gate"
    own = ACCOUNTS + f'"777788889999": {{name: lab, roles: {{Tester: {{allow: [sre], via: "{hub}"}}}}}}\n'
    made = double(own)
    tester = "arn:aws:iam::777788889999:role/Tester"
    assert made[tester]["trust"]["Statement"][0]["Principal"] == {"AWS": hub}
    assert made[hub]["policies"][0]["Statement"][0]["Resource"] == tester
    parse(made[""])


# --- secrets, environment, folder -------------------------------------------------------------------


def test_secrets_are_made_once_kept_private_and_yield_to_the_environment(tmp_path: Path):
    path = tmp_path / "demo-secrets"
    first = folder.demo_secrets(path, {"OTHER"}, {})
    assert set(first) == {"PARTNER_CLIENT_SECRET", "SANDBOX_EXTERNAL_ID", "SOCIAL_CLIENT_SECRET", "OTHER"}
    assert len(set(first.values())) == 4
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.demo_secrets(path, {"OTHER"}, {"OTHER": "mine"}) == {**first, "OTHER": "mine"}


@pytest.mark.parametrize("damaged", ["{", "[]", '{"a": 1}', "\x00"])
def test_a_damaged_secrets_file_is_named(damaged: str, tmp_path: Path):
    (tmp_path / "demo-secrets").write_text(damaged)
    with pytest.raises(CannotRun, match="demo-secrets is damaged"):
        folder.demo_secrets(tmp_path / "demo-secrets", (), {})


def test_secrets_are_asked_for_by_the_configuration():
    other = texts()["providers/partner.yaml"].replace("PARTNER_CLIENT_SECRET", "MINE")
    assert run.secret_names(texts(partner=other)) == {"MINE", "SANDBOX_EXTERNAL_ID"}


def test_children_get_no_aws_settings_and_no_proxy():
    given = {"AWS_PROFILE": "x", "HTTPS_PROXY": "x", "no_proxy": "x", "DAYPASS_CONFIG": "x", "HOME": "h"}
    assert run.clean_environment(given) == {"HOME": "h", "PYTHONUNBUFFERED": "1"}


def source(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    for name, text in texts().items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


def test_the_copy_is_made_anew_each_time(tmp_path: Path):
    mine, copy = source(tmp_path), tmp_path / "var" / "config"
    folder.copy_config(mine, copy, {"accounts.yaml": "first: 1\n"})
    (copy / "left-over.yaml").write_text("x: 1\n")
    folder.copy_config(mine, copy, {"accounts.yaml": "second: 2\n"})
    assert (copy / "accounts.yaml").read_text() == "second: 2\n"
    assert not (copy / "left-over.yaml").exists()
    assert (mine / "accounts.yaml").read_text() == ACCOUNTS


def test_a_copy_onto_itself_is_refused_and_the_original_lives(tmp_path: Path):
    mine = source(tmp_path)
    for target in (mine, mine / "config", mine.parent):
        with pytest.raises(CannotRun, match="lie in one another"):
            folder.copy_config(mine, target, {})
    assert (mine / "daypass.yaml").exists()


def test_a_folder_with_a_configuration_of_its_own_is_not_taken(tmp_path: Path):
    (tmp_path / "config").mkdir()
    with pytest.raises(CannotRun, match="not the demo's"), folder.held(tmp_path):
        pass
    with folder.held(tmp_path / "var"):
        pass


def test_one_folder_holds_one_demo_at_a_time(tmp_path: Path):
    with folder.held(tmp_path):
        again = subprocess.run(
            [sys.executable, "-m", "demo.run", "--port", "18990", "--var", str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, timeout=20,
        )  # fmt: skip
    assert again.returncode == 1
    assert "Another demo runs" in again.stderr


@pytest.mark.parametrize("given", ["/nowhere", str(ROOT / "tests")])
def test_a_folder_that_is_no_configuration_is_named(given: str, tmp_path: Path):
    answer = subprocess.run(
        [sys.executable, "-m", "demo.run", "--port", "18990", "--var", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=20, env={**os.environ, "DAYPASS_CONFIG": given},
    )  # fmt: skip
    assert answer.returncode == 1
    assert f"{given} is not a configuration" in answer.stderr


def test_a_port_that_cannot_be_is_wrong_usage(tmp_path: Path):
    answer = subprocess.run(
        [sys.executable, "-m", "demo.run", "--port", "65500", "--var", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert answer.returncode == 2
    assert "PORT must be" in answer.stderr


def test_the_facts_have_the_shape_that_scripts_lean_on(tmp_path: Path):
    demo = run.Demo(run.Ports(18990), source(tmp_path), tmp_path / "var")
    facts = demo.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert list(facts) == [
        "base_url",
        "sts_endpoint",
        "console_endpoint",
        "pid",
        "providers",
        "people",
        "local",
    ]
    assert facts["base_url"] == "http://localhost:18990"
    assert facts["sts_endpoint"] == facts["console_endpoint"] == "http://127.0.0.1:19080"
    assert facts["providers"] == [
        {"id": "corp", "type": "saml", "label": "Acme staff"},
        {"id": "partner", "type": "oidc", "label": "Partners"},
    ]
    text = run.summary(facts, demo, 2.0)
    for part in ("http://localhost:18990", "demo-ana", "production/Admin", "Partners", "get-caller-identity"):
        assert part in text
