"""The tables in `cases/`: a file is a table, a line is a case in `simulate`'s format with what is expected."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from app.commands.simulate import main

CASES = Path(__file__).parent / "cases"
LINES = [
    pytest.param(line, id=f"{path.stem}:{json.loads(line)['id']}")
    for path in sorted(CASES.glob("*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("line", LINES)
def test_simulate_answers_as_aws_documents(line: str) -> None:
    case = json.loads(line)
    out = io.StringIO()
    assert main([], io.StringIO(line), out) == 0
    answer = json.loads(out.getvalue())
    assert answer.get("decision") == case["expect"], (case["page"], answer)
    assert answer["id"] == case["id"]


def test_every_operator_has_cases() -> None:
    from app.policy.conditions import OPERATORS

    texts = "".join(path.read_text("utf-8") for path in CASES.glob("*.jsonl"))
    assert not [name for name in OPERATORS if f'"{name}"' not in texts]


def test_every_case_names_its_page() -> None:
    for path in CASES.glob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            assert json.loads(line)["page"], line
