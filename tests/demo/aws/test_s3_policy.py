"""The double's own reading of session policies; and that it reads them as the broker's engine does."""

import json
import re
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.model import PolicyText
from app.policy import Kind, evaluate, parse
from demo.aws.s3.policy import Verdict, judge

BUCKET = "arn:aws:s3:::app-uploads"


def document(*statements, version="2012-10-17"):
    return {"Version": version, "Statement": list(statements)}


def allow(resource="*", action="s3:*", effect="Allow", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def get(*statements, key="ana/x", action="s3:GetObject", version="2012-10-17", **context):
    found = {name.replace("_", ":").replace(":keys", "-keys"): value for name, value in context.items()}
    return judge([document(*statements, version=version)], action, f"{BUCKET}/{key}", found)


YES, NO, DENIED = Verdict.ALLOW, Verdict.NOTHING, Verdict.DENY


@pytest.mark.parametrize(
    ("pattern", "key", "verdict"),
    [
        ("*", "ana/x", YES),
        (f"{BUCKET}/ana/*", "ana/x", YES),
        (f"{BUCKET}/ana/*", "ana/", YES),
        (f"{BUCKET}/ana/*", "ana", NO),
        (f"{BUCKET}/ana/*", "anna/x", NO),
        (f"{BUCKET}/ana/*", "Ana/x", NO),
        (f"{BUCKET}/ana/?", "ana/x", YES),
        (f"{BUCKET}/ana/?", "ana/xy", NO),
        (f"{BUCKET}/*/x", "ana/b/c/x", YES),
        (f"{BUCKET}/*a*b*c", "xxaxxbxxc", YES),
        (f"{BUCKET}/*a*b*c", "xxaxxcxxb", NO),
        (f"{BUCKET}/${{*}}/*", "*/x", YES),
        (f"{BUCKET}/${{*}}/*", "ana/x", NO),
        (f"{BUCKET}/${{?}}", "?", YES),
        (f"{BUCKET}/${{?}}", "a", NO),
        (f"{BUCKET}/${{$}}{{aws:userid}}", "${aws:userid}", YES),
        (f"{BUCKET}/${{$}}{{aws:userid}}", "AROA:x", NO),
        (f"{BUCKET}/${{aws:userid}}", "AROA:x", YES),
        (f"{BUCKET}/${{aws:username}}", "ana", NO),
        (f"{BUCKET}/${{daypass:identity-id}}/*", "${daypass:identity-id}/x", NO),
        ([f"{BUCKET}/ben/*", f"{BUCKET}/ana/*"], "ana/x", YES),
        (f"{BUCKET}/[a]na/x", "ana/x", NO),
        (f"{BUCKET}/a\nb", "a\nb", YES),
    ],
)
def test_resources(pattern, key, verdict):
    assert get(allow(pattern), key=key, aws_userid="AROA:x") is verdict


def test_in_the_old_version_nothing_is_a_variable():
    assert (
        get(allow(f"{BUCKET}/${{aws:userid}}"), key="AROA:x", version="2008-10-17", aws_userid="AROA:x") is NO
    )
    assert get(allow(f"{BUCKET}/${{x}}"), key="${x}", version="2008-10-17") is YES


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        ("s3:GetObject", YES),
        ("S3:getobject", YES),
        ("s3:Get*", YES),
        ("*", YES),
        (["s3:PutObject", "s3:Get?bject"], YES),
        ("s3:PutObject", NO),
        ("s3:GetObjectAcl", NO),
    ],
)
def test_actions(action, verdict):
    assert get(allow(action=action)) is verdict


def test_a_deny_wins_wherever_it_stands():
    for statements in ((allow(), allow(effect="Deny")), (allow(effect="Deny"), allow())):
        assert get(*statements) is DENIED
    assert get(allow(), allow(effect="Deny", action="s3:PutObject")) is YES
    assert judge([document(allow()), document(allow(effect="Deny"))], "s3:GetObject", BUCKET, {}) is DENIED


def test_the_not_twins():
    other = {"Effect": "Allow", "NotAction": "s3:Delete*", "Resource": "*"}
    assert get(other) is YES and get(other, action="s3:DeleteObject") is NO
    rest = {"Effect": "Deny", "Action": "*", "NotResource": f"{BUCKET}/ana/*"}
    assert get(allow(), rest) is YES and get(allow(), rest, key="ben/x") is DENIED
    unknown = {"Effect": "Deny", "Action": "*", "NotResource": f"{BUCKET}/${{daypass:x}}/*"}
    assert get(allow(), unknown) is DENIED
    generous = {"Effect": "Allow", "Action": "*", "NotResource": f"{BUCKET}/${{daypass:x}}/*"}
    assert get(generous) is NO


@pytest.mark.parametrize(
    ("condition", "prefix", "verdict"),
    [
        ({"StringLike": {"s3:prefix": "ana/*"}}, "ana/", YES),
        ({"StringLike": {"s3:prefix": "ana/*"}}, "ana/2026", YES),
        ({"StringLike": {"S3:Prefix": ["ben/*", "ana/*"]}}, "ana/", YES),
        ({"StringLike": {"s3:prefix": "ana/*"}}, "ana", NO),
        ({"StringLike": {"s3:prefix": "ana/*"}}, "", NO),
        ({"StringLike": {"s3:prefix": "ana/*"}}, None, NO),
        ({"StringLike": {"s3:prefix": "${*}/*"}}, "ana/", NO),
        ({"StringLikeIfExists": {"s3:prefix": "ana/*"}}, None, YES),
        ({"StringEquals": {"s3:prefix": "ana/"}}, "ana/", YES),
        ({"StringEquals": {"s3:prefix": "ana/*"}}, "ana/x", NO),
        ({"StringEquals": {"s3:prefix": "ana/*"}}, "ana/*", YES),
        ({"StringEquals": {"s3:prefix": "${*}"}}, "*", YES),
        ({"StringNotEquals": {"s3:prefix": "ana/"}}, "ben/", YES),
        ({"StringNotEquals": {"s3:prefix": "ana/"}}, "ana/", NO),
        ({"StringNotLike": {"s3:prefix": "ana/*"}}, None, YES),
        ({"StringLike": {"s3:prefix": "ana/*"}, "StringEquals": {"s3:delimiter": "/"}}, "ana/", NO),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, "ana/", NO),
        ({"StringLike": {"aws:SourceVpc": "*"}}, "ana/", NO),
        ({"StringLike": {"s3:prefix": "${daypass:identity-id}/*"}}, "ana/", NO),
        ({"StringNotLike": {"s3:prefix": "${daypass:identity-id}/*"}}, "ana/", NO),
    ],
)
def test_conditions(condition, prefix, verdict):
    context = {} if prefix is None else {"s3:prefix": prefix}
    made = document(allow(Condition=condition))
    assert judge([made], "s3:ListBucket", BUCKET, context) is verdict


@pytest.mark.parametrize(
    "condition",
    [
        {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        {"StringEquals": {"aws:SourceVpc": "vpc-1"}},
        {"StringLike": {"s3:prefix": "${daypass:identity-id}/*"}},
    ],
)
def test_a_deny_with_something_unknown_holds(condition):
    made = document(allow(), allow(effect="Deny", Condition=condition))
    assert judge([made], "s3:ListBucket", BUCKET, {"s3:prefix": "x"}) is DENIED


def test_a_pattern_of_many_stars_is_no_work():
    began = time.process_time()
    assert get(allow(f"{BUCKET}/{'*a' * 400}b"), key="a" * 1000) is NO
    assert time.process_time() - began < 10  # going back over every star takes longer than the universe


tail = st.lists(
    st.sampled_from(["*", "?", "${*}", "${?}", "${$}", "${aws:userid}", "a", "b", "/", "$", "{"]), max_size=6
)
key = st.lists(st.sampled_from(["a", "b", "/", "*", "?", "$", "{", "a:b"]), max_size=5).map("".join)
statement = st.builds(
    lambda effect, negated, action, parts, prefix: {
        "Effect": effect,
        "Action": action,
        ("NotResource" if negated else "Resource"): f"{BUCKET}/{''.join(parts)}",
        **({} if prefix is None else {"Condition": {prefix[0]: {"s3:prefix": "".join(prefix[1])}}}),
    },
    st.sampled_from(["Allow", "Deny"]),
    st.booleans(),
    st.sampled_from(["s3:*", "s3:GetObject", "s3:put*"]),
    tail,
    st.none()
    | st.tuples(st.sampled_from(["StringLike", "StringEquals", "StringNotLike", "StringLikeIfExists"]), tail),
)


@given(st.lists(statement, min_size=1, max_size=3), key, st.none() | key, st.sampled_from(["a", "b/a", "*"]))
def test_it_reads_policies_as_the_brokers_engine_does(statements, name, prefix, userid):
    text = json.dumps(document(*statements))
    # A Deny with a variable that nobody knows: AWS loses it, the double keeps it.
    assume(set(re.findall(r"\$\{[^}]*\}", text)) <= {"${*}", "${?}", "${$}", "${aws:userid}"})
    context = {"aws:userid": userid, **({} if prefix is None else {"s3:prefix": prefix})}
    theirs = evaluate(
        "s3:GetObject",
        f"{BUCKET}/{name}",
        context,
        policies=[parse(PolicyText("t", text, "t"), Kind.IDENTITY)],
    )
    ours = judge([document(*statements)], "s3:GetObject", f"{BUCKET}/{name}", context)
    names = {"ALLOW": "ALLOW", "EXPLICIT_DENY": "DENY", "IMPLICIT_DENY": "NOTHING"}
    assert ours.name == names[theirs.effect.name]
