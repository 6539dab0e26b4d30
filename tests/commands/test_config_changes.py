"""`config plan`, `apply`, `rollback`, `history`, `diff` and `access who-can`, `what-can`: words, JSON, exit status."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.commands.access import main as access
from app.commands.config import main as config
from app.model import Authentication, Identity, SourceId
from app.store import AuditRecords, Database, People, Search, open_database
from tests.configuration.builders import ENVIRON, FILES
from tests.store.databases import fresh

WIDER = FILES["accounts.yaml"].replace("allow: [sre]", "allow: [sre, engineering]")
ADMIN = "arn:aws:iam::111122223333:role/Admin"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "config"
    for path, content in FILES.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(content, "utf-8")
    (made / "groups.yaml").write_text("sre: {policies: [aws:PowerUserAccess]}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAYPASS_CONFIG", raising=False)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def database(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with fresh("sqlite", tmp_path) as url:
        monkeypatch.setenv("DAYPASS_DATABASE", url)
        made = open_database(url)
        yield made
        made.close()


def seen(database: Database, name: str, *groups: str) -> None:
    identity = Identity(
        SourceId("corp"), f"{name}-1", name, {"memberOf": groups}, Authentication(datetime.now(UTC))
    )
    People(database).seen(identity, [], datetime.now(UTC), 1)


def out(capsys: pytest.CaptureFixture[str], *argv: str, status: int = 0, run=config) -> str:
    """What the command prints to standard output; it must end with that status."""
    capsys.readouterr()
    found = run(list(argv))
    captured = capsys.readouterr()
    assert found == status, captured
    return captured.out


# --- plan and apply -----------------------------------------------------------------------------------


def test_the_journey(folder: Path, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No revision is active yet; this would be the first." in out(capsys, "plan", status=1)
    assert "Revision 1 is active. Workers use it within a second." in out(capsys, "apply", "--yes")
    assert out(capsys, "plan") == "Nothing would change: revision 1 holds the same files.\n"
    seen(database, "ana", "Engineering")
    seen(database, "ben", "Engineering")
    seen(database, "chloe", "Ops")
    (folder / "accounts.yaml").write_text(WIDER)
    planned = out(capsys, "plan", "--diff", status=1)
    assert planned.splitlines() == [
        "Revision 1 is active; this would be 2.",
        "Files",
        "  ~ accounts.yaml",
        "      @@ -2,4 +2,4 @@",
        "         name: production",
        "         roles:",
        "      -    Admin: {allow: [sre]}",
        "      +    Admin: {allow: [sre, engineering]}",
        "           ReadOnly: {level: read, allow: [engineering, contractors], session_policy: no-secrets}",
        "Access, of 3 people known",
        "  PRIVILEGED: 2 people would get more of roles of level admin, marked with !",
        "  corp/ana, corp/ben",
        "   !+ production/Admin (admin): gain",
    ]
    assert "Revision 2 is active." in out(capsys, "apply", "--yes")
    assert "Revision 3 is active." in out(capsys, "rollback", "1", "--yes")
    history = out(capsys, "history").splitlines()
    assert [line.split()[0] for line in history] == ["3", "2", "1"]
    assert history[0].endswith(", back to 1  (active)")
    assert "by operator " in history[1]
    assert "lose" in out(capsys, "diff", "2", "3", status=1)
    assert out(capsys, "diff", "1", "3") == "Revisions 1 and 3 hold the same files.\n"
    records = AuditRecords(database).search(Search(kind="revision.activated"))
    assert [json.loads(each.record.detail)["number"] for each in records] == [3, 2, 1]
    assert AuditRecords(database).verify().first_broken is None


def test_who_comes_to_administer_is_told(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    out(capsys, "apply", "--yes")
    seen(database, "ana", "Ops")
    seen(database, "ben", "Engineering")
    (folder / "groups.yaml").write_text(
        "sre:\n  inline:\n    operate:\n      Statement: {Effect: Allow, Action: 'daypass:ApplyConfiguration',\n"
        "        Resource: 'arn:aws:daypass:::configuration'}\n"
    )
    assert out(capsys, "plan", status=1).splitlines()[-3:] == [
        "Administration of daypass",
        "  corp/ana",
        "   !+ daypass:ApplyConfiguration: gain",
    ]
    plan = json.loads(out(capsys, "apply", "--yes", "--json"))
    assert [(each["gains"], each["loses"]) for each in plan["administration"]] == [
        (["daypass:ApplyConfiguration"], [])
    ]
    assert "daypass:ApplyConfiguration: lose" in out(capsys, "diff", "2", "1", status=1)


def test_scripts_read_json(folder: Path, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    first = json.loads(out(capsys, "apply", "--yes", "--json"))
    assert (first["revision"], first["active"], first["changes"]) == (1, None, True)
    seen(database, "ana", "Engineering")
    (folder / "accounts.yaml").write_text(WIDER)
    plan = json.loads(out(capsys, "plan", "--json", status=1))
    assert plan["files"] == [{"path": "accounts.yaml", "change": "changed"}]
    ((people, roles),) = [(each["people"], each["roles"]) for each in plan["access"]]
    assert [(p["source"], p["username"], p["subject"]) for p in people] == [("corp", "ana", "ana-1")]
    assert roles == [
        {
            "role": ADMIN,
            "account_name": "production",
            "name": "Admin",
            "level": "admin",
            "turn": "gains",
            "conditional": False,
            "privileged": True,
        }
    ]
    out(capsys, "apply", "--yes", "--json")
    listed = json.loads(out(capsys, "history", "--json"))
    assert [(each["number"], each["restores"]) for each in listed] == [(2, None), (1, None)]
    versions = json.loads(out(capsys, "history", "--policy", "no-secrets", "--json"))
    assert [(each["number"], len(each["sha256"])) for each in versions] == [(1, 64)]
    assert json.loads(out(capsys, "diff", "1", "2", "--json", status=1))["files"][0]["diff"][1:3] == [
        "   name: production",
        "   roles:",
    ]


@pytest.mark.parametrize(
    ("typed", "status", "active"),
    [("y\n", 0, 1), ("yes\n", 0, 1), ("n\n", 1, None), ("\n", 1, None), ("", 1, None)],
)
def test_a_terminal_is_asked(
    typed: str,
    status: int,
    active: int | None,
    folder: Path,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert config(["apply"]) == status
    assert "Apply it? [y/N]" in capsys.readouterr().err
    assert out(capsys, "history", status=0 if active else 1)


def test_what_is_no_terminal_is_not_asked(
    folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert config(["apply"]) == 1
    assert "run it again with --yes" in capsys.readouterr().err
    assert config(["apply", "--json"]) == config(["rollback", "1", "--json"]) == 2


def test_a_broken_folder_changes_nothing_and_the_way_back_stays_open(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    out(capsys, "apply", "--yes")
    (folder / "accounts.yaml").write_text(WIDER)
    out(capsys, "apply", "--yes")
    (folder / "accounts.yaml").write_text(WIDER.replace("allow", "alow"))
    assert config(["apply", "--yes"]) == 1
    captured = capsys.readouterr()
    assert "did you mean `allow`?" in captured.err
    assert "2 errors. Nothing was changed." in captured.err
    assert config(["plan"]) == 2
    assert json.loads(out(capsys, "plan", "--json", status=2))["ok"] is False
    assert "Revision 3 is active." in out(capsys, "rollback", "1", "--yes")


def test_a_policy_test_that_fails_stops_an_apply(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    request = {"action": "sts:AssumeRole", "resource": ADMIN, "context": {}}
    (folder / "policies/no-secrets.test.jsonl").write_text(
        json.dumps({"expect": "implicitDeny", "request": request})
    )
    assert config(["apply", "--yes"]) == 1
    assert "the test fails: expected implicitDeny, the answer is allow" in capsys.readouterr().err
    assert out(capsys, "history", status=1) == "No revision is active yet.\n"


def test_a_broken_folder_still_says_which_database(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DAYPASS_DATABASE", raising=False)
    text = FILES["daypass.yaml"].replace("var/daypass.db", str(tmp_path / "own.db"))
    (folder / "daypass.yaml").write_text(text)
    out(capsys, "apply", "--yes")
    (folder / "accounts.yaml").write_text("- broken")
    assert out(capsys, "history")
    (folder / "daypass.yaml").unlink()
    assert config(["history"]) == 2
    assert "does not say which database" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["rollback", "7", "--yes"], "There is no revision 7."),
        (["diff", "1", "7"], "There is no revision 7."),
        (["history", "--policy", "nowhere"], "No revision ever had a policy `nowhere`."),
    ],
)
def test_what_never_was_is_said(
    argv: list[str], words: str, folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    out(capsys, "apply", "--yes")
    assert config(argv) == 2
    assert words in capsys.readouterr().err


def test_a_secret_that_is_gone_stops_a_rollback_in_words(
    folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out(capsys, "apply", "--yes")
    (folder / "accounts.yaml").write_text(WIDER)
    out(capsys, "apply", "--yes")
    monkeypatch.delenv("PARTNER_CLIENT_SECRET")
    assert config(["rollback", "1", "--yes"]) == 1
    err = capsys.readouterr().err
    assert (
        "config/providers/partner.yaml:5:16  client_secret  the environment variable `PARTNER_CLIENT_SECRET` is not set"
        in err
    )
    assert "Revision 1 cannot be used as it is. Nothing was changed." in err


def test_names_from_a_directory_cannot_steer_the_terminal(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    seen(database, "\x1b[2Jana\n", "Ops")
    assert "corp/\\x1b[2Jana\\n" in out(capsys, "plan", status=1)


# --- who and what ---------------------------------------------------------------------------------------


def test_who_can_and_what_can_answer(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "groups.yaml").write_text(
        "engineering:\n  inline:\n    night:\n      Version: '2012-10-17'\n      Statement:\n"
        f"      - {{Sid: Mfa, Effect: Allow, Action: sts:AssumeRole, Resource: '{ADMIN}',\n"
        "         Condition: {Bool: {aws:MultiFactorAuthPresent: 'true'}}}\n"
    )
    out(capsys, "apply", "--yes")
    seen(database, "ana", "Engineering")
    seen(database, "chloe", "Ops")
    who = out(capsys, "who-can", "production/Admin", run=access).splitlines()
    assert who[0].startswith(f"{ADMIN}, at 20")
    assert who[0].endswith(", by revision 1")
    assert who[1].startswith("  corp/ana (claims since 20")
    assert who[1].endswith("): depends; no for the request assumed")
    assert (
        who[2]
        == "      if Bool aws:MultiFactorAuthPresent true: groups.yaml/engineering/night (Mfa, groups.yaml:6)"
    )
    assert who[3].startswith("  corp/chloe (claims since 20")
    assert who[4] == (
        "1 of 2 people known, 1 more on conditions. Assumed is somebody asking at that time, without a second factor, "
        "from no address that is known."
    )
    found = json.loads(out(capsys, "who-can", ADMIN, "--json", run=access))
    assert (found["revision"], found["assumed"]["mfa"], found["assumed"]["address"]) == (1, False, None)
    assert [(p["username"], p["answer"], p["as_assumed"]) for p in found["people"]] == [
        ("ana", "depends", False),
        ("chloe", "yes", True),
    ]
    assert found["people"][0]["unknown"][0]["conditions"] == ["Bool aws:MultiFactorAuthPresent true"]
    what = json.loads(out(capsys, "what-can", "corp/chloe-1", "--json", run=access))
    assert [(r["name"], r["answer"]) for r in what["roles"]] == [("Admin", "yes")]
    assert what["person"]["username"] == "chloe"
    assert "production/ReadOnly" in out(capsys, "what-can", "ana", run=access)


def test_nobody_and_nothing_are_answers_too(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    out(capsys, "apply", "--yes")
    assert "  nobody" in out(capsys, "who-can", ADMIN, run=access, status=1)
    seen(database, "dan", "Nothing")
    assert "  no role" in out(capsys, "what-can", "dan", run=access, status=1)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["who-can", "production/Amdin"], "Did you mean `production/Admin`?"),
        (["what-can", "nobody"], "No sign-in until then showed a person of that name."),
        (["who-can", ADMIN, "--at", "2020-01-01"], "No revision was active then."),
        (["who-can", ADMIN, "--at", "yesterday"], "`yesterday` is no time"),
        (["who-can"], "usage: python -m app access who-can"),
        (["who-cann", ADMIN], "unknown question `who-cann`"),
    ],
)
def test_questions_that_make_no_sense_are_2(
    argv: list[str], words: str, folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    out(capsys, "apply", "--yes")
    assert access(argv) == 2
    assert words in capsys.readouterr().err


# --- clients ------------------------------------------------------------------------------------------


def test_what_an_app_may_bring_and_be_given_is_told(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    out(capsys, "apply", "--yes")
    role = "arn:aws:iam::111122223333:role/Admin"
    text = f"name: A\ngrants: [exchange]\naccepts: {{partner: [web, ios]}}\nguests: true\nroles: [{role}]\n"
    app = folder / "clients" / "a.yaml"
    app.parent.mkdir()
    app.write_text(text)
    added = out(capsys, "plan", status=1).splitlines()
    assert added[added.index("  + a (A)") :] == [
        "  + a (A)",
        "      name: A",
        "      grants: exchange",
        "      redirect_uris: none",
        "      scopes: roles, credentials",
        "      secret: none",
        "      accepts: partner: web, ios",
        "      pool: a",
        "      guests: let in, in the group app/a/guests",
        f"      roles: only {role}",
        "      subject_tokens: reuse",
    ]
    out(capsys, "apply", "--yes")
    changed = text.replace("guests: true", "pool: b\norigins: [https://a.test]\ncredentials: 20m")
    app.write_text(changed + "subject_tokens: once\n")
    told = out(capsys, "plan", status=1).splitlines()
    assert "  ~ a (A)" in told, told
    assert told[told.index("  ~ a (A)") :] == [
        "  ~ a (A)",
        "      pool: b (was a)",
        "      origins: https://a.test (was none)",
        "      guests: none (was let in, in the group app/a/guests)",
        "      credentials: at most 20m (was none)",
        "      subject_tokens: once (was reuse)",
    ]
    (change,) = json.loads(out(capsys, "apply", "--yes", "--json"))["clients"]
    assert (change["before"]["pool"], change["after"]["pool"]) == ("a", "b")


def test_a_source_that_may_be_another_provider_now_is_told_and_whose_identities_stay(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    role = "arn:aws:iam::111122223333:role/Admin"
    app, partner = folder / "clients" / "a.yaml", folder / "providers" / "partner.yaml"
    app.parent.mkdir()
    app.write_text(f"name: A\ngrants: [exchange]\naccepts: {{partner: [web]}}\nroles: [{role}]\n")
    out(capsys, "apply", "--yes")
    honest = partner.read_text()
    partner.write_text(honest.replace("label: ", "label: Our "))
    assert "Sources" not in out(capsys, "plan", status=1), "the same people, by another label"
    (issuer,) = (line for line in honest.splitlines() if line.startswith("issuer:"))
    partner.write_text(honest.replace(issuer, "issuer: https://elsewhere.test"))
    told = out(capsys, "plan", status=1).splitlines()
    lines = told[told.index("Sources: providers that people sign in with") :]
    assert lines[1:3] == ["  ~ partner", "      whoever is signed in by it is signed out"]
    assert "IDENTITIES of its people stay, in a;" in lines[3] and len(lines) == 5
    found = json.loads(out(capsys, "plan", "--json", status=1))["sources"]
    assert found == [{"id": "partner", "pools": ["a"]}]
    app.write_text(app.read_text().replace("partner: [web]", "corp: [web]"))
    out(capsys, "apply", "--yes")
    partner.write_text(honest)
    told = out(capsys, "plan", status=1).splitlines()
    assert told[-2:] == ["  ~ partner", "      whoever is signed in by it is signed out"]


def test_a_client_that_comes_changes_or_goes_is_told(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Clients" not in out(capsys, "apply", "--yes"), "the helper's own is no change"
    bot = folder / "clients" / "bot.yaml"
    bot.parent.mkdir()
    bot.write_text("name: Bot\ngrants: [device]\nscopes: [roles]\n")
    added = out(capsys, "plan", status=1).splitlines()
    assert added[added.index("Clients: helpers and apps that people let in") + 1 :] == [
        "  + bot (Bot)",
        "      name: Bot",
        "      grants: device",
        "      redirect_uris: none",
        "      scopes: roles",
        "      secret: none",
    ]
    out(capsys, "apply", "--yes")
    bot.write_text("name: Bot\ngrants: [code, device]\nredirect_uris: [https://bot.test/cb]\n")
    widened = out(capsys, "plan", status=1).splitlines()
    assert widened[widened.index("  ~ bot (Bot)") :] == [
        "  ~ bot (Bot)",
        "      grants: code, device (was device)",
        "      redirect_uris: https://bot.test/cb (was none)",
        "      scopes: roles, credentials (was roles)",
    ]
    told = json.loads(out(capsys, "apply", "--yes", "--json"))["clients"]
    assert [(each["id"], each["change"], each["after"]["grants"]) for each in told] == [
        ("bot", "changed", "code, device")
    ]
    bot.unlink()
    gone = out(capsys, "plan", status=1).splitlines()
    assert gone[gone.index("  - bot (Bot)") :] == [
        "  - bot (Bot)",
        "      whoever is signed in with it is signed out",
    ]
    assert "  - bot (Bot)" in out(capsys, "diff", "2", "1", status=1)
