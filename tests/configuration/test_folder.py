"""The folder: what is read, what is left out, what cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.configuration import ConfigurationUnreadable, load, read_folder
from app.configuration.document import LARGEST
from tests.configuration.builders import ENVIRON, FILES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    return tmp_path


def test_every_file_is_read_by_its_path(folder: Path) -> None:
    assert read_folder(folder) == FILES


def test_what_is_not_configuration_is_left_out(folder: Path) -> None:
    for name in (
        ".git/config",
        ".env",
        "README.md",
        "policies/no-secrets.test.jsonl",
        "policies/.x.json.swp",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert read_folder(folder) == FILES


def test_a_folder_that_is_not_there_is_said_in_words(folder: Path) -> None:
    with pytest.raises(ConfigurationUnreadable, match="There is no configuration folder") as unreadable:
        read_folder(folder / "none")
    assert "DAYPASS_CONFIG" in str(unreadable.value)
    with pytest.raises(ConfigurationUnreadable):
        read_folder(folder / "daypass.yaml")


def test_a_link_that_leads_nowhere_is_said_in_words(folder: Path) -> None:
    (folder / "groups.yaml").unlink()
    (folder / "groups.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(ConfigurationUnreadable, match=r"groups\.yaml` cannot be read: No such file"):
        read_folder(folder)


def test_mounted_config_maps_are_made_of_links(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mounted = tmp_path_factory.mktemp("mounted")
    (mounted / "..data").symlink_to(folder)
    for entry in folder.iterdir():
        (mounted / entry.name).symlink_to(Path("..data") / entry.name)
    assert read_folder(mounted) == FILES


def test_a_link_to_itself_ends(folder: Path) -> None:
    (folder / "providers" / "loop").symlink_to("..")
    files = read_folder(folder)
    assert FILES.items() <= files.items()
    assert all(path.count("/") <= 4 for path in files)


def test_a_pipe_does_not_hold_the_start(folder: Path) -> None:
    os.mkfifo(folder / "providers" / "pipe.yaml")
    assert read_folder(folder)["providers/pipe.yaml"] == ""


def test_bytes_that_are_no_utf8_and_files_too_large_are_said_with_the_rest(folder: Path) -> None:
    (folder / "groups.yaml").write_bytes(b"sre: {description: caf\xe9}\n")
    (folder / "accounts.yaml").write_text("# " + "é" * LARGEST)
    (folder / "photo.jpg").write_bytes(bytes(range(256)) * 10)
    (folder / "daypass.yaml").write_text(FILES["daypass.yaml"].replace("version: 1", "version: 2"))
    found = load(read_folder(folder), ENVIRON, Path("config"))
    assert [str(problem).split("  ")[:2] for problem in found.problems] == [
        ["config/accounts.yaml", "larger than 1 MB; split it, or take out what does not belong here"],
        ["config/daypass.yaml:1:10", "version"],
        ["config/groups.yaml:1:23", "not UTF-8; save the file in that encoding"],
        ["config/photo.jpg", "warning: unknown file; it is not read"],
    ]


def test_a_file_name_cannot_steer_a_terminal(folder: Path) -> None:
    (folder / "\x1b[31mred\u202e.yaml").write_text("x")
    (problem,) = load(read_folder(folder), ENVIRON, Path("config")).problems
    assert str(problem).isprintable()
