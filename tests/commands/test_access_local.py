"""`access explain`, `who-can`, `what-can` about local users and root; and what they say without the broker's keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.commands.access import main as access
from app.commands.access_explain import main as explain
from app.commands.access_who import what_can, who_can
from app.commands.config import main as config
from app.configuration import read_folder
from app.keyring import load_or_create
from app.model import Authentication, Identity, PolicyText, SourceId
from app.people import Account, LocalUser, UserState
from app.sealing import Sealer
from app.store import Store, open_store
from tests.company import ROOT

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ADMIN = "arn:aws:iam::111122223333:role/Admin"
DEVELOPER = "arn:aws:iam::444455556666:role/Developer"
OWN = PolicyText(
    "own",
    json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Sid": "Mine", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": DEVELOPER}
            ],
        }
    ),
    "user/lea/own",
)
LEA = LocalUser("1ea", "lea", groups=("contractors",), inline=(OWN,))
Run = Callable[..., tuple[int, str, str]]


class Clock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key file, made once: it takes a while."""
    made = tmp_path_factory.mktemp("keys") / "keys"
    load_or_create(made, NOW)
    return made


@pytest.fixture
def store(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The shipped configuration, active for a week; lea, who was on call until yesterday, and root, set up."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    url = f"sqlite:///{tmp_path / 'daypass.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAYPASS_CONFIG", str(folder))
    monkeypatch.setenv("DAYPASS_DATABASE", url)
    (tmp_path / "var").mkdir()
    shutil.copy(keys, tmp_path / "var" / "keys")
    made = open_store(url, Sealer(load_or_create(tmp_path / "var" / "keys", NOW).sealing_keys))
    made.revisions.activate("1" * 64, read_folder(folder), NOW - 7 * DAY)
    made.users.create(replace(LEA, groups=("sre",), inline=()), by="x", at=NOW - 3 * DAY)
    made.users.change(LEA, 1, by="x", at=NOW - DAY)
    made.users.create(
        LocalUser("0ff", "off", groups=("sre",), state=UserState.DISABLED), by="x", at=NOW - DAY
    )
    made.users.ensure_root(NOW - 5 * DAY)
    made.users.set_account(Account("root", "$argon2id$x", NOW - 2 * DAY), NOW - 2 * DAY)
    yield made
    made.close()


@pytest.fixture
def run(store: Store, capsys: pytest.CaptureFixture[str]) -> Run:
    def asked(question: str, *argv: str) -> tuple[int, str, str]:
        command = {
            "explain": lambda argv, clock: explain(argv, clock=clock),
            "who": who_can,
            "what": what_can,
        }
        status = command[question](argv, Clock())
        said = capsys.readouterr()
        return status, said.out, said.err

    return asked


def test_a_local_user_who_never_signed_in_is_explained_by_what_is_attached_to_them(run: Run) -> None:
    status, out, err = run("explain", "local/lea", "sandbox/Developer")
    assert status == 0
    assert "person     local/lea (subject 1ea)" in out and "groups     contractors" in out
    assert "version    as of 2026-11-23T10:00:00Z" in out
    assert "Allowed by own (Mine, user/lea/own:1)." in out
    assert "They have not signed in" in err
    told = json.loads(run("explain", "lea", DEVELOPER, "--json")[1])
    assert told["matched"][0]["file"] == "user/lea/own" and told["last_seen"] is None


def test_what_they_could_open_by_a_factor_is_told(run: Run) -> None:
    status, out, _ = run("explain", "local/lea", "sandbox/Release")
    assert status == 1 and "They can do it themselves: prove a second factor here." in out
    assert run("explain", "local/lea", "sandbox/Release", "--mfa")[0] == 0


def test_the_version_of_a_day_answers_for_that_day(run: Run) -> None:
    assert run("explain", "local/lea", ADMIN)[0] == 1
    status, out, _ = run("explain", "local/lea", ADMIN, "--at", "2d")
    assert status == 0 and "groups     sre" in out and "as of 2026-11-21T10:00:00Z" in out
    status, _, err = run("explain", "local/lea", ADMIN, "--at", "4d")
    assert status == 1 and "Nobody called local/lea has signed in by then, or is a local user then." in err
    names = [each["username"] for each in json.loads(run("who", ADMIN, "--at", "60h", "--json")[1])["people"]]
    assert names == ["lea"]


def test_somebody_who_is_disabled_may_do_nothing(run: Run) -> None:
    status, _, err = run("explain", "local/off", ADMIN)
    assert (status, err) == (1, "off may do nothing: the local user is disabled.\n")
    status, out, _ = run("what", "local/off")
    assert status == 1 and "no role" in out


def test_root_is_named_for_a_break_glass_role_and_for_no_other(run: Run) -> None:
    status, out, err = run("who", "production/Admin")
    assert status == 0 and err == ""
    assert out.splitlines()[1:] == [
        "  root/root (set up since 2026-11-22T10:00:00Z)",
        "1 of 3 people known.",
    ]
    assert "root" not in run("who", "production/Billing")[1]
    assert "root" not in run("who", "production/Admin", "--at", "60h")[1]
    assert "production/Admin" in run("what", "root")[1]


def test_root_is_explained(run: Run) -> None:
    status, out, _ = run("explain", "root", ADMIN)
    assert status == 0 and "This role is marked for emergencies (`break_glass`)" in out
    status, out, _ = run("explain", "root", DEVELOPER)
    assert status == 1 and "Give the role `break_glass: true` in accounts.yaml." in out


def test_what_a_local_user_can_is_listed_with_its_version(run: Run) -> None:
    status, out, _ = run("what", "local/lea")
    assert status == 0
    assert out.splitlines()[0].endswith("by version 2 since 2026-11-23T10:00:00Z")
    assert "sandbox/Developer" in out and "production/ReadOnly" in out
    assert "sandbox/Release: depends; no for the request assumed" in out


def test_a_username_that_two_have_is_asked_back(run: Run, store: Store) -> None:
    who = Identity(SourceId("corp"), "lea-1", "lea", {}, Authentication(NOW))
    store.people.seen(who, (), NOW, 1)
    status, _, err = run("explain", "lea", ADMIN)
    assert status == 2 and "corp/lea-1, local/1ea" in err
    assert run("explain", "local/lea", DEVELOPER)[0] == 0


def test_an_attached_policy_that_is_gone_is_said_and_nothing_decided(run: Run, store: Store) -> None:
    store.users.change(replace(LEA, policies=("gone",)), 2, by="x", at=NOW)
    status, _, err = run("explain", "local/lea", ADMIN)
    assert status == 1 and "policy gone is attached, but revision 1 has none of that name" in err
    # Nothing is given to them, and the answer about others stands.
    names = [each["username"] for each in json.loads(run("who", ADMIN, "--json")[1])["people"]]
    assert names == ["root"]
    assert "no role" in run("what", "local/lea")[1]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda keys: keys.unlink(), "there is no key file var/keys"),
        (lambda keys: keys.write_text("{}"), "the key file var/keys is"),
        (lambda keys: keys.chmod(0o644), "can be used by others (mode 0644); set it to 0600"),
    ],
)
def test_without_the_keys_it_says_who_is_left_out(run: Run, tmp_path: Path, spoil, words: str) -> None:
    spoil(tmp_path / "var" / "keys")
    status, out, err = run("who", ADMIN)
    assert status == 1 and "nobody" in out
    assert err.startswith("Local users and root are left out: what they are is sealed, and ") and words in err
    status, _, err = run("explain", "local/lea", ADMIN)
    assert status == 1 and words in err and "Nobody called local/lea" in err


def test_where_nothing_is_sealed_nothing_is_left_out(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database from before there were local users, on a machine without the keys."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    url = f"sqlite:///{tmp_path / 'daypass.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAYPASS_CONFIG", str(folder))
    monkeypatch.setenv("DAYPASS_DATABASE", url)
    made = open_store(url, Sealer(load_or_create(keys, NOW).sealing_keys))
    made.revisions.activate("1" * 64, read_folder(folder), NOW - DAY)
    made.close()
    assert access(["who-can", ADMIN]) == 1
    said = capsys.readouterr()
    assert "nobody" in said.out and said.err == ""


def test_a_plan_is_made_with_local_users_and_root_in_it(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SANDBOX_EXTERNAL_ID", "PARTNER_CLIENT_SECRET", "SOCIAL_CLIENT_SECRET"):
        monkeypatch.setenv(name, "x" * 16)
    accounts = tmp_path / "config" / "accounts.yaml"
    wider = accounts.read_text().replace(
        "allow: [finance]", "allow: [finance, contractors]\n      break_glass: true"
    )
    accounts.write_text(wider)
    assert config(["plan"]) == 1
    said = capsys.readouterr()
    assert said.err == "" and "production/Billing" in said.out
    assert "local/lea" in said.out and "root/root" in said.out and "local/off" not in said.out
    (tmp_path / "var" / "keys").unlink()
    assert config(["plan"]) == 1
    said = capsys.readouterr()
    assert "Local users and root are left out" in said.err and "local/lea" not in said.out


def test_a_policy_that_goes_takes_everything_from_whom_it_is_attached_to(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan is made all the same, and another that brings it back."""
    for name in ("SANDBOX_EXTERNAL_ID", "PARTNER_CLIENT_SECRET", "SOCIAL_CLIENT_SECRET"):
        monkeypatch.setenv(name, "x" * 16)
    mine = tmp_path / "config" / "policies" / "mine.json"
    mine.write_text(OWN.text)
    assert config(["apply", "--yes"]) == 0
    store.users.change(replace(LEA, inline=(), policies=("mine",)), 2, by="x", at=NOW)
    mine.unlink()
    assert config(["plan"]) == 1
    out = capsys.readouterr().out
    assert "sandbox/Developer: lose" in out and "local/lea" in out
    assert config(["apply", "--yes"]) == 0
    mine.write_text(OWN.text)
    capsys.readouterr()
    assert config(["plan"]) == 1
    out = capsys.readouterr().out
    assert "sandbox/Developer: gain" in out and "local/lea" in out
