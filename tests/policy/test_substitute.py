"""Our variables in a session policy: resolved as literal text, or refused with the variable's name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import RequestNotPossible
from app.model import PolicyText
from app.policy import Kind, missing, needed, parse, resolve, unknown
from app.policy.request import RequestContext

ID = "daypass:identity-id"
FOLDER = "arn:aws:s3:::app-uploads/${daypass:identity-id}/*"


def written(*statements: dict[str, Any], version: str | None = "2012-10-17") -> str:
    head = {} if version is None else {"Version": version}
    return json.dumps({**head, "Statement": list(statements)}, indent=2)


def allow(resource: object = "*", **more: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:*", "Resource": resource, **more}


def only(text: str) -> dict[str, Any]:
    made = json.loads(text)["Statement"]
    assert len(made) == 1
    return dict(made[0])


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        (FOLDER, {ID: "7f3a"}, "arn:aws:s3:::app-uploads/7f3a/*"),
        (FOLDER, {"DayPass:Identity-ID": "7f3a"}, "arn:aws:s3:::app-uploads/7f3a/*"),
        ("arn:aws:s3:::b/${DAYPASS:IDENTITY-ID}/*", {ID: "7f3a"}, "arn:aws:s3:::b/7f3a/*"),
        (FOLDER, {ID: "*"}, "arn:aws:s3:::app-uploads/${*}/*"),
        (FOLDER, {ID: "a?c"}, "arn:aws:s3:::app-uploads/a${?}c/*"),
        (FOLDER, {ID: "${aws:username}"}, "arn:aws:s3:::app-uploads/${$}{aws:username}/*"),
        (FOLDER, {ID: "${*}"}, "arn:aws:s3:::app-uploads/${$}{${*}}/*"),
        (FOLDER, {ID: "${daypass:source}", "daypass:source": "x"},
         "arn:aws:s3:::app-uploads/${$}{daypass:source}/*"),
        (FOLDER, {ID: "a:b/c"}, "arn:aws:s3:::app-uploads/a:b/c/*"),
        # Halves that would make a variable together.
        ("arn:aws:s3:::b/$${daypass:identity-id}", {ID: "{aws:username}"}, "arn:aws:s3:::b/${$}{aws:username}"),
        ("arn:aws:s3:::b/${daypass:identity-id}{aws:userid}", {ID: "$"}, "arn:aws:s3:::b/${$}{aws:userid}"),
        ("arn:aws:s3:::b/${daypass:a}${daypass:b}", {"daypass:a": "$", "daypass:b": "{x}"},
         "arn:aws:s3:::b/${$}{x}"),
        ("arn:aws:s3:::b/$${daypass:a, ''}{aws:userid}", {}, "arn:aws:s3:::b/${$}{aws:userid}"),
        # Defaults, of which nothing is a pattern either.
        ("arn:aws:s3:::b/${daypass:a, 'all*'}/*", {}, "arn:aws:s3:::b/all${*}/*"),
        ("arn:aws:s3:::b/${daypass:a, 'all'}/*", {"daypass:a": "me"}, "arn:aws:s3:::b/me/*"),
        ("arn:aws:s3:::b/${daypass:a, 'a}b'}", {}, "arn:aws:s3:::b/a}b"),
        # What is not ours stays.
        ("arn:aws:s3:::b/${aws:username}/${*}${?}${$}", {ID: "x"}, "arn:aws:s3:::b/${aws:username}/${*}${?}${$}"),
        ("arn:aws:s3:::b/${aws:PrincipalTag/daypass:x}", {}, "arn:aws:s3:::b/${aws:PrincipalTag/daypass:x}"),
        ("arn:aws:s3:::b/${$}{daypass:identity-id}", {ID: "x"}, "arn:aws:s3:::b/${$}{daypass:identity-id}"),
        ("*", {ID: "x"}, "*"),
        (["arn:aws:s3:::b", FOLDER], {ID: "x"}, ["arn:aws:s3:::b", "arn:aws:s3:::app-uploads/x/*"]),
    ],
)  # fmt: skip
def test_a_resource(template: object, values: dict[str, str], expected: object) -> None:
    assert only(resolve(written(allow(template)), values))["Resource"] == expected


def test_not_resource_and_a_statement_that_stands_alone() -> None:
    alone = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "NotResource": FOLDER}}
    made = json.loads(resolve(json.dumps(alone), {ID: "x"}))
    assert made["Statement"]["NotResource"] == "arn:aws:s3:::app-uploads/x/*"


@pytest.mark.parametrize(
    ("operator", "template", "expected"),
    [
        ("StringLike", "${daypass:identity-id}/*", "a${*}b/*"),
        ("StringEquals", "${daypass:identity-id}", "a${*}b"),
        ("ForAnyValue:StringNotLikeIfExists", ["x", "${daypass:identity-id}"], ["x", "a${*}b"]),
        ("ArnLike", "arn:aws:sns:*:*:${daypass:identity-id}", "arn:aws:sns:*:*:a${*}b"),
    ],
)
def test_a_condition(operator: str, template: object, expected: object) -> None:
    text = written(allow(Condition={operator: {"s3:prefix": template}}))
    assert only(resolve(text, {ID: "a*b"}))["Condition"] == {operator: {"s3:prefix": expected}}


def test_numbers_and_truth_values_pass_through() -> None:
    block = {"NumericLessThan": {"s3:max-keys": 10}, "Bool": {"aws:SecureTransport": True}}
    made = only(resolve(written(allow(FOLDER, Condition=block)), {ID: "x"}))["Condition"]
    assert made == {"NumericLessThan": {"s3:max-keys": "10"}, "Bool": {"aws:SecureTransport": True}}


@pytest.mark.parametrize(
    ("statement", "values", "named"),
    [
        (allow(FOLDER), {}, "${daypass:identity-id}"),
        (allow(FOLDER), {ID: ""}, "${daypass:identity-id}"),
        (allow(FOLDER), {"daypass:identity": "x"}, "${daypass:identity-id}"),
        (allow(FOLDER), {ID: "x", "daypass:Identity-Id": "y"}, "${daypass:identity-id}"),
        (allow("arn:aws:s3:::b/${daypass:identity-id}/${daypass:other}"), {ID: "x"}, "${daypass:other}"),
        (allow("arn:aws:s3:::b/${daypass:Groups}/*"), {"daypass:groups": "sre"}, "${daypass:Groups}"),
        (allow(Condition={"StringLike": {"s3:prefix": "${daypass:identity-id}/*"}}), {}, "${daypass:identity-id}"),
        # Where AWS resolves none, and so we do not either.
        (allow("arn:aws:s3::${daypass:identity-id}:b"), {ID: "x"}, "${daypass:identity-id}"),
        (allow("arn:${daypass:identity-id}:s3:::b"), {ID: "x"}, "${daypass:identity-id}"),
        (allow("arn:aws:s3:::b", Action="s3:${daypass:identity-id}"), {ID: "x"}, "${daypass:identity-id}"),
        (allow(Condition={"StringLike": {"${daypass:identity-id}": "x"}}), {ID: "x"}, "${daypass:identity-id}"),
        (allow(Condition={"NumericEquals": {"s3:max-keys": "${daypass:identity-id}"}}), {ID: "1"},
         "${daypass:identity-id}"),
        (allow(Condition={"Null": {"s3:prefix": "${daypass:identity-id}"}}), {ID: "x"}, "${daypass:identity-id}"),
        (allow(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3::${daypass:identity-id}:b"}}), {ID: "x"},
         "${daypass:identity-id}"),
        (allow("arn:aws:s3:::b/${ daypass:identity-id}/*"), {ID: "x"}, "${ daypass:identity-id}"),
        (allow("arn:aws:s3:::b/${daypass:identity-id"), {ID: "x"}, "${daypass:identity-id"),
        (allow("arn:aws:s3:::b/${x ${daypass:identity-id}/*"), {ID: "x"}, "${daypass:identity-id}"),
    ],
)  # fmt: skip
def test_refused_with_the_name_of_the_variable(
    statement: dict[str, Any], values: dict[str, str], named: str
) -> None:
    with pytest.raises(RequestNotPossible) as refused:
        resolve(written(statement), values)
    assert named in refused.value.words
    assert named in refused.value.detail


@pytest.mark.parametrize("version", [None, "2008-10-17"])
def test_a_version_without_variables_is_refused_not_sent_with_one_inside(version: str | None) -> None:
    with pytest.raises(RequestNotPossible, match=r"there are no variables"):
        resolve(written(allow(FOLDER), version=version), {ID: "x"})
    assert only(resolve(written(allow("arn:aws:s3:::b/${aws:username}"), version=version), {}))


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", '{"Version": NaN}', '{"Statement": [], "Statement": []}']
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(RequestNotPossible):
        resolve(text, {})
    with pytest.raises(RequestNotPossible):
        needed(text)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"Statement":"x"}',
        '{"Version":"2012-10-17","Statement":["x",null,{"Condition":{"StringLike":7}}]}',
    ],
)
def test_odd_shapes_are_left_to_who_checks_documents(text: str) -> None:
    assert resolve(text, {ID: "x"}) == text.replace(":7}", ':"7"}')
    assert needed(text) == frozenset()


def test_the_result_may_have_as_many_characters_as_sts_takes_and_no_more() -> None:
    room = 2048 - len(resolve(written(allow(FOLDER)), {ID: "x"})) + 1
    assert len(resolve(written(allow(FOLDER)), {ID: "x" * room})) == 2048
    for long in ("x" * (room + 1), "*" * (room // 4 + 1)):
        with pytest.raises(RequestNotPossible, match=r"of 2048 characters"):
            resolve(written(allow(FOLDER)), {ID: long})


@pytest.mark.parametrize("value", ["Piątek", "\N{SNOWMAN}", "\N{GRINNING FACE}", "\x00", 'a"b\\c', "é"])
def test_letters_beyond_what_sts_takes_are_written_as_escapes(value: str) -> None:
    text = resolve(written(allow(FOLDER)), {ID: value})
    assert all(letter in "\t\n\r" or "\x20" <= letter <= "\xff" for letter in text)
    assert only(text)["Resource"] == f"arn:aws:s3:::app-uploads/{value}/*"
    parse(PolicyText(name="session", text=text, file="session"), Kind.SESSION)


def test_a_key_of_several_values_has_its_default_or_refuses() -> None:
    assert (
        only(resolve(written(allow("arn:aws:s3:::b/${daypass:Groups, 'x'}")), {}))["Resource"]
        == "arn:aws:s3:::b/x"
    )
    for ask in (needed, lambda text: resolve(text, {"daypass:groups": "sre"})):
        with pytest.raises(RequestNotPossible, match=r"several values"):
            ask(written(allow("arn:aws:s3:::b/${daypass:Groups}")))


def test_needed_names_what_has_no_default() -> None:
    text = written(
        allow([FOLDER, "arn:aws:s3:::b/${daypass:a, 'x'}/${aws:username}"]),
        allow(Condition={"StringLike": {"s3:prefix": ["${daypass:Source}/*"]}}),
    )
    assert needed(text) == {"daypass:identity-id", "daypass:source"}
    assert needed(written(allow(FOLDER), version=None)) == frozenset()


# --- no value acts as a pattern -------------------------------------------------------------------

sign = st.sampled_from(["*", "?", "$", "{", "}", "${", "${*}", "${aws:username}", "a", "b", "/", ":", "'"])
value = st.lists(sign, min_size=1, max_size=6).map("".join)
piece = st.sampled_from(
    [
        "${daypass:a}",
        "${daypass:b}",
        "${daypass:c, 'd*'}",
        "${aws:username}",
        "$",
        "{",
        "*",
        "?",
        "a",
        "/",
        "${*}",
    ]
)
template = st.lists(piece, min_size=1, max_size=6).map(lambda parts: "arn:aws:s3:::b/" + "".join(parts))


@given(template=template, a=value, b=value, name=value, key=value)
@example(template="arn:aws:s3:::b/${daypass:a}", a="*", b="x", name="x", key="anything")
@example(template="arn:aws:s3:::b/$${daypass:a}", a="{aws:username}", b="x", name="ana", key="$ana")
def test_what_is_sent_covers_what_the_engine_says_the_template_covers(
    template: str, a: str, b: str, name: str, key: str
) -> None:
    """The engine keeps values apart from patterns; AWS, which gets one text, must read the same from it."""
    ours, theirs = {"daypass:a": a, "daypass:b": b}, {"aws:username": name}
    text = written(allow(template))
    try:
        sent = resolve(text, ours)
    except RequestNotPossible:
        return
    kept = parse(PolicyText(name="t", text=text, file="t"), Kind.SESSION).statements[0]
    resolved = parse(PolicyText(name="t", text=sent, file="t"), Kind.SESSION).statements[0]
    for end in (key, a, b, f"{a}/{key}", f"$${a}", f"{a}{b}", f"${name}"):
        resource = f"arn:aws:s3:::b/{end}"
        before = kept.covers_resource(resource, RequestContext.of({**ours, **theirs}))
        assert resolved.covers_resource(resource, RequestContext.of(theirs)) is before


@given(value=st.text(min_size=1, max_size=40), other=st.text(max_size=40))
def test_a_folder_is_only_for_who_has_exactly_that_id(value: str, other: str) -> None:
    sent = resolve(written(allow(FOLDER)), {ID: value})
    statement = parse(PolicyText(name="t", text=sent, file="t"), Kind.SESSION).statements[0]
    hostile = RequestContext.of({"aws:username": other})
    assert statement.covers_resource(f"arn:aws:s3:::app-uploads/{value}/x", hostile)
    if not other.startswith(f"{value}/"):
        assert not statement.covers_resource(f"arn:aws:s3:::app-uploads/{other}/x", hostile) or other == value


# --- before anybody asks ------------------------------------------------------------------------------


def test_what_is_missing_is_what_is_needed_and_has_no_value() -> None:
    text = written(
        allow(
            [
                "arn:aws:s3:::b/${daypass:identity-id}/${daypass:Client, 'x'}",
                "arn:aws:s3:::b/${daypass:Claim/A}",
            ]
        )
    )
    assert missing(text, {}) == {"daypass:identity-id", "daypass:claim/a"}
    assert missing(text, {"daypass:Identity-ID": "1"}) == {"daypass:claim/a"}
    assert missing(text, {"daypass:identity-id": "", "daypass:Claim/a": "x", "daypass:claim/A": "y"}) == {
        "daypass:identity-id",
        "daypass:claim/a",
    }, "an empty value is none, nor is one of two"
    assert missing(text, {"daypass:identity-id": "1", "daypass:Claim/a": "x"}) == frozenset()


def test_a_name_that_no_session_has_is_unknown_even_with_a_default() -> None:
    known = [
        "${daypass:Identity-Id}",
        "${daypass:client}",
        "${daypass:Source}",
        "${daypass:Claim/x}",
        "${aws:userid}",
    ]
    assert unknown(written(allow([f"arn:aws:s3:::b/{name}" for name in known]))) == ()
    found = unknown(
        written(allow(["arn:aws:s3:::b/${daypass:device}/${daypass:Claim/}/${daypass:clientt, 'x'}"]))
    )
    assert [each.text for each in found] == [
        "${daypass:device}",
        "${daypass:Claim/}",
        "${daypass:clientt, 'x'}",
    ]
