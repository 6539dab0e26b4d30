"""`python -m app config check` and `config schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.commands.config import main
from app.configuration.schema import KINDS, text
from tests.configuration.builders import ENVIRON, FILES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = tmp_path / "config"
    for path, content in FILES.items():
        (config / path).parent.mkdir(parents=True, exist_ok=True)
        (config / path).write_text(content, "utf-8")
    # Attached to a group, it would also be asked which roles it opens; here it caps sessions.
    (config / "groups.yaml").write_text("sre: {policies: [aws:PowerUserAccess]}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAYPASS_CONFIG", raising=False)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    return config


def test_a_right_configuration_is_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == (
        "The configuration in config is right: 2 providers, 1 account, 2 roles, 3 groups, 2 policies, 0 guardrails, "
        "1 client.\n"
    )


def test_problems_are_lines_that_editors_jump_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "accounts.yaml").write_text(
        FILES["accounts.yaml"].replace("[sre]", "[sree]").replace("level", "lvel")
    )
    (folder / "notes.txt").write_text("x")
    assert main(["check"]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "config/accounts.yaml:4:21",
        "config/accounts.yaml:5:16",
        "config/notes.txt",
    ]
    assert last == "2 errors, 1 warning. Nothing was changed."


def test_a_warning_alone_is_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "notes.txt").write_text("x")
    assert main(["check"]) == 0
    assert capsys.readouterr().out.endswith("0 guardrails, 1 client. 1 warning.\n")


def test_the_folder_is_the_environments(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAYPASS_CONFIG", "elsewhere")
    assert main(["check"]) == 2
    assert "There is no configuration folder `elsewhere`" in capsys.readouterr().err
    folder.rename("elsewhere")
    (Path("elsewhere") / "groups.yaml").write_text("- x")
    assert main(["check"]) == 1
    assert capsys.readouterr().out.startswith("elsewhere/groups.yaml:1:1  ")


def test_json_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json"]) == 0
    right = json.loads(capsys.readouterr().out)
    assert (right["ok"], right["problems"]) == (True, [])
    assert right["counts"] == {
        "providers": 2,
        "accounts": 1,
        "roles": 2,
        "groups": 3,
        "policies": 2,
        "guardrails": 0,
        "clients": 1,
    }
    assert len(right["digest"]) == 64
    (folder / "daypass.yaml").write_text(FILES["daypass.yaml"].replace("name", "nmae"))
    assert main(["check", "--json"]) == 1
    wrong = json.loads(capsys.readouterr().out)
    assert (wrong["ok"], wrong["counts"], wrong["digest"]) == (False, None, None)
    assert wrong["problems"][1] == {
        "file": "config/daypass.yaml",
        "line": 2,
        "column": 1,
        "key": "nmae",
        "message": "unknown key; did you mean `name`?",
        "level": "error",
    }


def test_a_build_machine_has_no_secrets(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PARTNER_CLIENT_SECRET")
    assert main(["check"]) == 1
    assert main(["check", "--without-secrets"]) == 0
    assert "warning: the environment variable `PARTNER_CLIENT_SECRET` is not set" in capsys.readouterr().out


def test_a_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "accounts"]) == 0
    assert capsys.readouterr().out == text("accounts")
    assert main(["schema"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == list(KINDS)


def test_schemas_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--write", str(tmp_path / "a" / "b")]) == 0
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {f"{kind}.json" for kind in KINDS}
    assert main(["schema", "groups", "--write", str(tmp_path)]) == 0
    assert (tmp_path / "groups.json").read_text("utf-8") == text("groups")
    (tmp_path / "file").write_text("")
    assert main(["schema", "--write", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [[], ["chek"], ["check", "--jsno"], ["schema", "acounts"], ["check", "extra"]]
)
def test_wrong_usage_is_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert "usage: python -m app config" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["check", "--help"], ["schema", "--help"]])
def test_help_says_what_the_exit_status_means(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert "Exit status" in out or "schema" in argv
