"""The tests that docs/security.md names are there."""

import re

from tests.company import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)`|`(test_\w+)`")


def test_every_test_that_the_page_names_exists():
    missing = []
    for line in PAGE.splitlines():
        file = ""
        for path, name in NAMED.findall(line):
            if path:
                file = path
                missing += [] if (ROOT / path).exists() else [path]
            elif file and f"\ndef {name}(" not in (ROOT / file).read_text(encoding="utf-8"):
                missing.append(f"{file}: {name}")
    assert missing == []


def test_every_attack_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    attacks = [row for row in rows if not row.startswith("| attack |")]
    assert len(attacks) > 45
    for row in attacks:
        assert row.count(" | ") == 2, row
        assert "forged" in row.rpartition(" | ")[2] or "`test_" in row.rpartition(" | ")[2], row
