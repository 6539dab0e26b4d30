"""What the documentation says is what the code does."""

from collections import Counter

from app.__main__ import COMMANDS
from docs import generate


def test_generated_pages_are_those_on_disk_and_no_link_is_broken(capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_every_refusal_has_a_code_of_its_own_or_its_parents_and_a_fitting_status():
    for refusal in generate.refusals():
        assert 400 <= refusal.status <= 503 and refusal.status != 500
        assert refusal.code and refusal.default_words.endswith(".")


def test_no_two_unrelated_refusals_share_a_code():
    codes = Counter(refusal.code for refusal in generate.refusals())
    assert [code for code, times in codes.items() if times > 1] == []


def test_every_command_is_described():
    page = (generate.ROOT / "docs/reference/commands.md").read_text()
    assert [name for name in COMMANDS if f"## `{name}" not in page] == []
