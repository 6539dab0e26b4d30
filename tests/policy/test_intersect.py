"""One session policy from two documents: exact, short, or refused with the reason."""

from __future__ import annotations

import json

import pytest

from app.errors import RequestNotPossible
from app.policy import Kind, intersect, managed, parse
from tests.policy.builders import document, statement

ADMIN = statement(Action="*")
EC2 = statement(Action="ec2:*")


def both(left: list[dict[str, object]], right: list[dict[str, object]], **options: int) -> dict[str, object]:
    text = intersect(document(*left), document(*right), **options)
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
    made = json.loads(text)
    assert made["Version"] == "2012-10-17"
    return made


def test_administrator_access_within_ec2_is_ec2() -> None:
    template = managed.text("aws:AdministratorAccess")
    assert template is not None
    for pair in ((parse(template), document(EC2)), (document(EC2), parse(template))):
        assert json.loads(intersect(*pair))["Statement"] == [EC2]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("s3:*", "s3:Get*", "s3:Get*"),
        ("s3:Get*", "s3:*Object", "s3:Get*Object"),
        ("s3:GetObject", "S3:getobject", "s3:GetObject"),
        (["s3:*", "ec2:*"], ["ec2:Run*", "iam:*"], "ec2:Run*"),
    ],
)
def test_actions_that_both_name(left: object, right: object, expected: object) -> None:
    assert both([statement(Action=left)], [statement(Action=right)])["Statement"] == [  # type: ignore[comparison-overlap]
        {
            "Effect": "Allow",
            "Action": expected if left != "s3:Get*" else both_spelt(expected),
            "Resource": "*",
        }
    ]


def both_spelt(expected: object) -> str:
    """A pattern that had to be put together is in lower case: actions have none."""
    return str(expected).lower()


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/ana/*", "arn:aws:s3:::b/ana/*"),
        ("arn:aws:s3:::b/*/x", "arn:aws:s3:::b/ana/*", ["arn:aws:s3:::b/ana/*/x", "arn:aws:s3:::b/ana/x"]),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}/*"),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${*}"),
        (
            "arn:aws:iam::*:role/A",
            "arn:aws:iam::111122223333:role/*",
            [
                "arn:aws:iam::111122223333:role/A",
                "arn:aws:iam::111122223333:role/*:role/A",  # a star that ends a field reaches beyond it
            ],
        ),
    ],
)
def test_resources_that_both_name(left: object, right: object, expected: object) -> None:
    for pair in ((left, right), (right, left)):
        made = both(*([statement(Action="*", Resource=each)] for each in pair))["Statement"][0]["Resource"]  # type: ignore[index]
        assert sorted(made) == sorted(expected) if isinstance(expected, list) else made == expected  # type: ignore[arg-type]


def test_nothing_in_common_denies_everything() -> None:
    assert both([EC2], [statement(Action="s3:*")])["Statement"] == [
        {"Effect": "Deny", "Action": "*", "Resource": "*"}
    ]


def test_denies_of_both_stay() -> None:
    made = both([ADMIN, statement("Deny", Action="iam:*")], [EC2, statement("Deny", Action="ec2:Stop*")])
    assert made["Statement"] == [
        EC2,
        statement("Deny", Action=["iam:*", "ec2:Stop*"]),
    ]


def test_what_notaction_leaves_out_stays_out() -> None:
    power = statement(NotAction=["iam:*", "organizations:*"])
    assert both([power], [statement(Action=["iam:GetRole", "s3:*"])])["Statement"] == [
        statement(Action="s3:*")
    ]
    assert both([power], [statement(NotAction="s3:*")])["Statement"] == [
        statement(NotAction=["iam:*", "organizations:*", "s3:*"])
    ]


def test_a_part_that_cannot_be_taken_out_is_denied() -> None:
    made = both([statement(NotAction="iam:Get*")], [statement(Action=["iam:*", "s3:*"])])
    assert made["Statement"] == [statement(Action=["iam:*", "s3:*"]), statement("Deny", Action="iam:Get*")]


def test_what_is_left_out_of_a_pattern_is_denied_only_where_nothing_else_allows_it() -> None:
    power = [statement(NotAction="s3:DeleteBucket"), statement(Action="iam:PassRole")]
    made = both(power, [statement(Action=["s3:*", "iam:Get*"]), statement(Action="ec2:*")])
    assert made["Statement"] == [
        statement(Action=["s3:*", "iam:Get*", "ec2:*"]),
        statement("Deny", Action="s3:DeleteBucket"),
    ]
    with pytest.raises(RequestNotPossible, match="another allows"):
        both([*power, statement(Action="s3:Delete*")], [statement(Action="s3:*"), statement(Action="ec2:*")])


def test_conditions_hold_together() -> None:
    left = statement(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    right = statement(Condition={"StringEquals": {"aws:username": ["ana", "ben"]}})
    assert both([left], [right])["Statement"][0]["Condition"] == {  # type: ignore[index]
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "StringEquals": {"aws:username": ["ana", "ben"]},
    }


def test_two_conditions_on_one_key_hold_together() -> None:
    left = statement(Condition={"StringLike": {"aws:username": "a*"}})
    right = statement(Condition={"StringLike": {"aws:username": "*b"}})
    assert both([left], [right])["Statement"][0]["Condition"] == {  # type: ignore[index]
        "StringLike": {"aws:username": "a*"},
        "StringLikeIfExists": {"aws:username": "*b"},
    }


def test_text_of_the_old_version_stays_text() -> None:
    old = document(statement(Action="*", Resource="arn:aws:s3:::b/${aws:username}"), version="2008-10-17")
    made = json.loads(intersect(old, document(ADMIN)))
    assert made["Statement"][0]["Resource"] == "arn:aws:s3:::b/${$}{aws:username}"


def test_more_than_sts_takes_is_refused_with_the_size() -> None:
    many = [f"arn:aws:s3:::bucket-number-{number}/*" for number in range(40)]
    wide = [f"arn:aws:s3:::*-{number}/*" for number in range(40)]
    with pytest.raises(RequestNotPossible, match="characters; STS takes 200"):
        intersect(
            document(statement(Action="*", Resource=many)),
            document(statement(Action="*", Resource=wide)),
            200,
        )


def test_what_cannot_be_written_is_refused_with_the_reason() -> None:
    left = [statement(Action="s3:*", Resource="arn:aws:s3:::${aws:username}-x*"), statement(Action="ec2:*")]
    right = [statement(Action="s3:*", Resource="arn:aws:s3:::*-x-y"), statement(Action="iam:*")]
    with pytest.raises(RequestNotPossible, match="cannot be made one session policy"):
        both(left, right)


def test_a_trust_policy_caps_nothing() -> None:
    made = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}, kind=Kind.TRUST)
    with pytest.raises(RequestNotPossible):
        intersect(made, document(ADMIN))
