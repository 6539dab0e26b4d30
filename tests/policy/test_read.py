"""Documents that IAM refuses are refused, each with its place; those it takes are taken."""

from __future__ import annotations

import json

import pytest

from app.model import PolicyText
from app.policy import Kind, PolicyInvalid, parse, render
from tests.policy.builders import document, statement, text


def problems(source: str, kind: Kind = Kind.IDENTITY) -> str:
    with pytest.raises(PolicyInvalid) as caught:
        parse(PolicyText("p", source, "policies/p.json"), kind)
    return str(caught.value.detail)


def refused(body: object, kind: Kind = Kind.IDENTITY) -> str:
    return problems(json.dumps(body), kind)


def one(**elements: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": statement(**elements)}  # type: ignore[arg-type]


BARE = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}

REFUSED_DOCUMENTS = {
    "no JSON": ("nonsense", "is no JSON"),
    "nothing": ("", "is no JSON"),
    "not-a-number": ('{"Version": NaN}', "is no JSON"),
    "a list": ("[]", "must be one JSON object"),
    "nested beyond reason": ("[" * 100_000, "nested too deeply"),
    "a byte order mark": ('\ufeff{"Version": "2012-10-17"}', "BOM"),
    "Chinese": ('{"Version": "2012-10-17", "Id": "中", "Statement": []}', "U+4E2D"),
    "a line separator": ('{"Version": "2012-10-17", "Id": "\u2028", "Statement": []}', "U+2028"),
    "Effect twice": (
        '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Effect":"Allow"}}',
        "`Effect` stands twice",
    ),
    "Statement twice": ('{"Statement": [], "Statement": []}', "`Statement` stands twice"),
    "a condition key twice": (
        '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*",'
        '"Condition":{"StringEquals":{"aws:username":"a","aws:username":"b"}}}}',
        "`aws:username` stands twice",
    ),
}


@pytest.mark.parametrize("name", REFUSED_DOCUMENTS)
def test_text_that_is_no_policy_is_refused(name: str) -> None:
    source, words = REFUSED_DOCUMENTS[name]
    assert words in problems(source)


REFUSED_TREES: dict[str, tuple[object, str]] = {
    "another version": ({"Version": "2013-10-17", "Statement": BARE}, "Version must be"),
    "version as a number": ({"Version": 2012, "Statement": BARE}, "Version must be"),
    "no statement": ({"Version": "2012-10-17"}, "Statement is missing"),
    "an empty list": ({"Statement": []}, "at least one"),
    "a statement that is text": ({"Statement": ["x"]}, "must be an object"),
    "statements as text": ({"Statement": "x"}, "must be an object or a list"),
    "an unknown element": ({"Statement": BARE, "Statments": 1}, "did you mean `Statement`"),
    "an unknown element in a statement": (
        {"Statement": {**BARE, "Resources": "*"}},
        "did you mean `Resource`",
    ),
    "an element in another case": ({"Statement": {**BARE, "sid": "A"}}, "did you mean `Sid`"),
    "Id as a list": ({"Id": [], "Statement": BARE}, "Id must be a string"),
    "no Effect": ({"Statement": {"Action": "*", "Resource": "*"}}, "Effect must be"),
    "Effect in another case": (one(Effect="allow"), "Effect must be"),
    "Effect as a list": (one(Effect=["Allow"]), "Effect must be"),
    "no Action": ({"Statement": {"Effect": "Allow", "Resource": "*"}}, "Action or NotAction: one of them"),
    "both": ({"Statement": {**BARE, "NotAction": "s3:*"}}, "Action or NotAction: both"),
    "no Resource": (
        {"Statement": {"Effect": "Allow", "Action": "*"}},
        "Resource or NotResource: one of them",
    ),
    "both resources": ({"Statement": {**BARE, "NotResource": "*"}}, "Resource or NotResource: both"),
    "an empty list of actions": (one(Action=[]), "Action must be a string or a list"),
    "an action in an object": (one(Action={}), "Action must be a string or a list"),
    "a list in a list": (one(Action=[["s3:*"]]), "Action must hold strings only"),
    "a number": (one(Action=[1]), "Action must hold strings only"),
    "null as an action": (one(Action=[None]), "Action must hold strings only"),
    "a resource in an object": (one(Resource={"a": "*"}), "Resource must be a string or a list"),
    "an object among resources": (one(Resource=["*", {}]), "Resource must hold strings only"),
    "an action without service": (one(Action="ListBucket"), "needs its service in front"),
    "an empty action": (one(Action=""), "needs its service in front"),
    "two colons": (one(Action="s3:List:Bucket"), "more than one colon"),
    "a blank in the service": (one(Action="a a:List"), "is no service"),
    "a wildcard in the service": (one(Action="s*:List"), "is no service"),
    "a resource that is no ARN": (one(Resource="bucket"), "must be an ARN"),
    "an empty resource": (one(Resource=""), "must be an ARN"),
    "an unknown partition": (one(Resource="arn:error:s3:::b"), "is no partition"),
    "arn:aws alone": (one(Resource="arn:aws"), "must name its service"),
    "no service": (one(Resource="arn:aws::::b"), "must name its service"),
    "a wildcard as the service": (one(Resource="arn:aws:*:::b"), "must name its service"),
    "an empty field of five": (one(Resource="arn:aws:s3::b"), "empty field"),
    "a region in IAM": (one(Resource="arn:aws:iam:eu-west-1::role/x"), "IAM has no regions"),
    "no IAM path": (one(Resource="arn:aws:iam:::x"), "must be `*` or begin with"),
    "Principal in an identity policy": (one(Principal="*"), "has no Principal"),
    "NotPrincipal in an identity policy": (one(NotPrincipal="*"), "has no NotPrincipal"),
    "Sid as a number": (one(Sid=5), "Sid must be a string of letters and digits"),
    "Sid with a blank": (one(Sid="a b"), "Sid must be a string of letters and digits"),
    "Sid with Arabic digits": (one(Sid="\u00b2"), "Sid must be a string of letters and digits"),
    "Condition as a list": (one(Condition=[]), "Condition must be an object"),
    "Condition as text": (one(Condition="a"), "Condition must be an object"),
    "an operator over text": (one(Condition={"StringEquals": "a"}), "must hold an object"),
    "an operator over a list": (one(Condition={"StringEquals": []}), "must hold an object"),
    "a value that is an object": (one(Condition={"StringEquals": {"a": {}}}), "must be a string, number"),
    "a value in a list in a list": (
        one(Condition={"StringEquals": {"a": [["b"]]}}),
        "must be a string, number",
    ),
    "null as a value": (one(Condition={"StringEquals": {"a": None}}), "must be a string, number"),
    "an unknown operator": (one(Condition={"StringEqual": {"a": "b"}}), "did you mean `StringEquals`"),
    "two colons after the set operator": (
        one(Condition={"ForAnyValue::StringEquals": {"a": "b"}}),
        "is no condition operator",
    ),
    "NullIfExists": (one(Condition={"NullIfExists": {"a": "true"}}), "is no condition operator"),
    "an operator in another case": (one(Condition={"stringEquals": {"a": "b"}}), "is no condition operator"),
    "no date": (one(Condition={"DateGreaterThan": {"a": "soon"}}), "`soon` is no date"),
    "a date of two parts too short": (one(Condition={"DateLessThan": {"a": "234-13"}}), "is no date"),
    "a date with half an offset": (
        one(Condition={"DateLessThan": {"a": "2016-12-13t2:00:00.5+1"}}),
        "is no date",
    ),
    "seconds beyond 63 bits": (one(Condition={"DateLessThan": {"a": "9223372036854775808"}}), "is no date"),
    "a multivalued key without set operator": (
        one(Condition={"StringEquals": {"aws:TagKeys": "a"}}),
        "write ForAnyValue:StringEquals",
    ),
    "one key in two cases": (
        one(Condition={"StringEquals": {"aws:username": "a", "aws:UserName": "b"}}),
        "stands twice under StringEquals",
    ),
}


@pytest.mark.parametrize("name", REFUSED_TREES)
def test_a_document_that_iam_refuses_is_refused(name: str) -> None:
    tree, words = REFUSED_TREES[name]
    assert words in refused(tree)


TAKEN: dict[str, object] = {
    "no Version": {"Statement": BARE},
    "Id": {"Version": "2012-10-17", "Id": "x", "Statement": BARE},
    "empty Sids": {"Statement": [{**BARE, "Sid": ""}, {**BARE, "Sid": ""}]},
    "unknown services": one(Action="s3-s.x:ListBucket"),
    "a blank in an action": one(Action="iam: as df "),
    "two actions in one": one(Action="s3:Get*,Put*"),
    "an empty condition": one(Condition={}),
    "unknown operators over nothing": one(Condition={"x": {}, "y": {}}),
    "a key with an empty list": one(Condition={"DateGreaterThan": {"a": []}}),
    "numbers and booleans": one(Condition={"NumericLessThan": {"a": 1.5}, "Bool": {"b": True}}),
    "null among resources": one(Resource=["*", None]),
    "an ARN of three fields": one(Resource="arn:aws:fdsasf"),
    "an odd service with a region": one(Resource="arn:aws:invalid-service:us-east-1::x"),
    "an access point with its region": one(Resource="arn:aws:s3:eu-west-1:111122223333:accesspoint/x"),
    "any partition": one(Resource="arn:*:ec2:*::snapshot/*"),
    "a date of a time alone": one(Condition={"DateGreaterThan": {"a": "01T"}}),
    "a date in lower case with hours of offset": one(
        Condition={"DateGreaterThan": {"a": "2016-12-13t2:00:00.593194+23"}}
    ),
    "a year before Christ": one(Condition={"DateLessThan": {"a": "-292275054"}}),
    "any value with IfExists": one(Condition={"ForAnyValue:StringEqualsIfExists": {"a": "b"}}),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_document_that_iam_takes_is_taken(name: str) -> None:
    parse(PolicyText("p", json.dumps(TAKEN[name]), "p.json"))


def test_all_problems_come_at_once_with_their_lines() -> None:
    source = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Fine", "Effect": "Allow", "Action": "*", "Resource": "*"},
    {
      "Sid": "Wrong",
      "Effect": "allow",
      "Action": "AssumeRole",
      "Resource": "*"
    },
    {"Sid": "Wrong", "Effect": "Deny", "Action": "*",
     "Resource": "*",
     "Effect": "Allow"}
  ]
}"""
    with pytest.raises(PolicyInvalid) as caught:
        parse(PolicyText("p", source, "policies/p.json", line=10))
    found = [(each.line, each.statement, each.message.partition(";")[0]) for each in caught.value.problems]
    assert found == [
        (22, "statement 3 (Wrong)", "`Effect` stands twice in one object"),
        (16, "statement 2 (Wrong)", 'Effect must be "Allow" or "Deny", not "allow"'),
        (17, "statement 2 (Wrong)", "action `AssumeRole` needs its service in front, as in sts:AssumeRole"),
        (20, "statement 3 (Wrong)", "Sid `Wrong` stands in another statement too"),
    ]


def test_a_statement_knows_its_line() -> None:
    made = document(statement(Sid="A"), statement("Deny", Sid="B"))
    assert [str(each.reference) for each in made.statements] == [
        "p (A, policies/p.json:4)",
        "p (B, policies/p.json:10)",
    ]


def test_a_lone_statement_knows_its_line() -> None:
    source = '{"Version": "2012-10-17",\n\n"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
    assert parse(PolicyText("p", source, "p.json")).statements[0].reference.line == 3


@pytest.mark.parametrize(
    ("kind", "limit"),
    [(Kind.IDENTITY, 10_240), (Kind.BOUNDARY, 6_144), (Kind.SESSION, 2_048), (Kind.TRUST, 4_096)],
)
def test_size_counts_without_white_space(kind: Kind, limit: int) -> None:
    made = statement(Sid="A")
    if kind is Kind.TRUST:
        made = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": "111122223333"},
            "Sid": "A",
        }
    bare = len(json.dumps({"Version": "2012-10-17", "Statement": [made]}, separators=(",", ":")))
    made["Sid"] = "A" * (1 + limit - bare)
    body = {"Version": "2012-10-17", "Statement": [made]}
    fits = parse(PolicyText("p", json.dumps(body, indent=8), "p.json"), kind)
    assert len(render(fits)) == limit
    made["Sid"] = "A" * (2 + limit - bare)
    assert f"may have {limit} characters" in refused(body, kind)


def test_numbers_of_any_size_do_no_harm() -> None:
    huge = "9" * 50_000
    source = (
        '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"a":%s}}}}'
    )
    assert "may have" in problems(source % huge)
    parse(PolicyText("p", source % ("9" * 5_000), "p.json"))


def test_print_and_parse_round_trip() -> None:
    made = document(statement(Sid="A", Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": 900}}))
    again = parse(PolicyText("q", render(made), "q.json"))
    assert again == made
    assert render(again) == render(made)
    assert text(statement()).text != render(made)
