"""`python -m app simulate`: answers in order, goes on after a bad line, starts at once."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.commands.simulate import main

ROOT = Path(__file__).parents[2]
ALLOW = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}
DENY = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
REQUEST = {"action": "sts:AssumeRole", "resource": "arn:aws:iam::111122223333:role/Admin", "context": {}}
QUESTION = {
    "id": 1,
    "policies": [ALLOW],
    "boundary": None,
    "guardrails": None,
    "session": None,
    "request": REQUEST,
}


def ask(*lines: object) -> list[dict[str, object]]:
    source = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n"
    out = io.StringIO()
    code = main([], io.StringIO(source), out)
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert code == (1 if any("error" in answer for answer in answers) else 0)
    return answers


def error(line: object) -> str:
    answer = ask(line)[0]
    assert "decision" not in answer
    return str(answer["error"])


def test_an_answer_has_the_promised_shape() -> None:
    assert ask(QUESTION) == [
        {"id": 1, "decision": "allow", "matched": [{"policy": "policies[0]", "sid": "A", "index": 0}]}
    ]


def test_denies_are_named_wherever_they_stand() -> None:
    question = {
        **QUESTION,
        "boundary": [ALLOW, DENY],
        "session": [DENY],
        "guardrails": [[ALLOW], [ALLOW, DENY]],
    }
    answer = ask(question)[0]
    assert answer["decision"] == "explicitDeny"
    assert sorted(each["policy"] for each in answer["matched"]) == [
        "boundary[1]",
        "guardrails[1][1]",
        "session[0]",
    ]  # type: ignore[index, union-attr]
    assert ask({**QUESTION, "guardrails": [DENY]})[0]["matched"] == [
        {"policy": "guardrails[0]", "sid": None, "index": 0}
    ]


def test_it_goes_on_after_a_bad_line_and_keeps_the_order() -> None:
    answers = ask(QUESTION, "nonsense", {**QUESTION, "id": "x"}, {"id": [2]}, "", {**QUESTION, "id": None})
    assert [answer["id"] for answer in answers] == [1, None, "x", [2], None]
    assert ["error" in answer for answer in answers] == [False, True, False, True, False]


REFUSED_LINES = {
    "not an object": ("[1]", "must be a JSON object"),
    "no request": ({"id": 1, "policies": []}, "`request` must be an object"),
    "no policies": ({"request": REQUEST}, "`policies` is missing"),
    "policies as an object": ({"policies": ALLOW, "request": REQUEST}, "`policies` must be a list"),
    "no action": ({"policies": [], "request": {"resource": "*"}}, "`request.action` must be"),
    "an action without service": (
        {"policies": [], "request": {**REQUEST, "action": "x"}},
        "`request.action` must be",
    ),
    "a list of actions": (
        {"policies": [], "request": {**REQUEST, "action": ["a:b"]}},
        "`request.action` must be",
    ),
    "no resource": ({"policies": [], "request": {"action": "a:b"}}, "`request.resource` must be"),
    "a context that is a list": (
        {"policies": [], "request": {**REQUEST, "context": []}},
        "must be an object",
    ),
    "a context value that is an object": (
        {"policies": [], "request": {**REQUEST, "context": {"a": {}}}},
        "a value of `a`",
    ),
    "one context key in two cases": (
        {"policies": [], "request": {**REQUEST, "context": {"a": "1", "A": "2"}}},
        "in different case",
    ),
    "a member twice": ('{"policies": [], "policies": [], "request": {}}', "`policies` stands twice"),
    "an action twice": (
        '{"policies": [], "request": {"action": "a:b", "action": "c:d", "resource": "*"}}',
        "`action` stands twice",
    ),
    "a misspelt cap": ({**QUESTION, "boundry": [DENY]}, "did you mean `boundary`"),
    "a cap in another case": ({**QUESTION, "Guardrails": [DENY]}, "did you mean `guardrails`"),
    "a document that is text": (
        {**QUESTION, "policies": [json.dumps(ALLOW)]},
        "policies[0]: the policy must be one",
    ),
    "guardrails of both shapes": (
        {**QUESTION, "guardrails": [[ALLOW], ALLOW]},
        "`guardrails[1]` must be a list",
    ),
    "nested beyond reason": ("[" * 100_000, "nested too deeply"),
    "a number that is none": ('{"id": NaN}', "is no JSON"),
}


@pytest.mark.parametrize("name", REFUSED_LINES)
def test_a_line_that_is_no_question_is_told_so(name: str) -> None:
    line, words = REFUSED_LINES[name]
    assert words in error(line)


def test_a_key_twice_in_a_document_is_found_at_any_depth() -> None:
    for inner in (
        '"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"',
        '"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":"true","a":"false"}}',
    ):
        request = '{"action": "a:b", "resource": "*"}'
        line = f'{{"policies": [{{"Statement": {{{inner}}}}}], "request": {request}}}'
        assert "stands twice" in error(line)


def test_every_broken_document_of_a_line_is_told() -> None:
    told = error({**QUESTION, "policies": [ALLOW, {}], "session": [{"Statement": []}]})
    assert "policies[1]: Statement is missing" in told
    assert "session[0]: Statement must be" in told


def test_context_values_of_json_types_are_their_text() -> None:
    condition = {"NumericEquals": {"a": 5}, "Bool": {"b": True}, "Null": {"c": True}}
    document = {"Version": "2012-10-17", "Statement": {**ALLOW["Statement"][0], "Condition": condition}}  # type: ignore[dict-item]
    request = {**REQUEST, "context": {"a": 5.0, "b": True, "c": None}}
    assert ask({**QUESTION, "policies": [document], "request": request})[0]["decision"] == "allow"


def test_other_members_are_left_alone() -> None:
    assert ask({**QUESTION, "expect": "deny", "page": "x", "note": {}})[0]["decision"] == "allow"


def test_wrong_usage_is_2_and_help_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--what"], io.StringIO(), io.StringIO()) == 2
    assert "usage:" in capsys.readouterr().err
    out = io.StringIO()
    assert main(["--help"], io.StringIO(), out) == 0
    assert "usage:" in out.getvalue()


RUN = "import sys; from app.commands.simulate import main; raise SystemExit(main([], sys.stdin, sys.stdout))"


@pytest.mark.alone
def test_it_streams_starts_quickly_and_survives_bytes_that_are_no_text() -> None:
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(QUESTION).encode() + b"\n")
        process.stdin.flush()
        assert b'"allow"' in process.stdout.readline()
        # Half a second is the promise; the machine that tests run on may be busy.
        assert time.perf_counter() - start < 2
        process.stdin.write(b'{"id": "\xff"}\n' + json.dumps(QUESTION).encode() + b"\n")
        process.stdin.close()
        assert b"not UTF-8" in process.stdout.readline()
        assert b'"allow"' in process.stdout.readline()
        assert process.wait(10) == 1


def test_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, app.commands.simulate; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'werkzeug', 'jinja2', 'sqlalchemy', 'boto3', 'botocore', 'pydantic', 'onelogin', 'authlib', 'yaml', "
        "'cryptography'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.strip() == "[]"
