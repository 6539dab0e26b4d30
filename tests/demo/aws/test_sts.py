"""AssumeRole as AWS checks it, called by an unmodified boto3."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from tests.demo.aws.conftest import ALL, FAR, arn

ALLOW_ALL = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)


def test_an_answer_has_all_its_parts(broker):
    answer = broker.answer(
        arn("Plain"),
        SourceIdentity="corp.ana",
        Policy=ALLOW_ALL,
        Tags=[{"Key": "Team", "Value": "web"}],
    )
    credentials = answer["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA") and len(credentials["AccessKeyId"]) == 20
    assert len(credentials["SecretAccessKey"]) == 40
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::111122223333:assumed-role/Plain/ana-1"
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":ana-1")
    assert answer["SourceIdentity"] == "corp.ana"
    assert 0 < answer["PackedPolicySize"] < 100
    left = credentials["Expiration"] - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)


@pytest.mark.parametrize("name", ["ab", "a" * 64, "a.b_c+d=e,f@g-h", "ANA"])
def test_session_names_that_aws_takes(broker, name):
    assert broker.answer(arn("Plain"), name)["AssumedRoleUser"]["Arn"].endswith("/" + name)


@pytest.mark.parametrize("name", ["a", "a" * 65, "ana smith", "ana/x", "añà", "ana:x", "ana\n"])
def test_session_names_that_aws_refuses(broker, name):
    # The SDK itself refuses a name that is too short, so the request is written by hand.
    body = f"Action=AssumeRole&Version=2011-06-15&RoleArn={arn('Plain')}&RoleSessionName="
    assert broker.send(broker.prepared(body + quote(name))).code == "ValidationError"


@pytest.mark.parametrize("identity", ["ab", "a" * 256, "corp.ana+x=y,z@w-v"])
def test_source_identities_that_aws_takes(broker, identity):
    assert broker.answer(arn("Plain"), SourceIdentity=identity)["SourceIdentity"] == identity


@pytest.mark.parametrize("identity", ["a" * 257, "aws:x", "AWS:x", "a b", "a/b"])
def test_source_identities_that_aws_refuses(broker, identity):
    assert broker.refused(arn("Plain"), SourceIdentity=identity).startswith("ValidationError")


@pytest.mark.parametrize(("role", "seconds"), [("Plain", 900), ("Plain", 3600), ("Long", 43200)])
def test_durations_within_the_roles_maximum(broker, role, seconds):
    expiration = broker.answer(arn(role), DurationSeconds=seconds)["Credentials"]["Expiration"]
    assert abs((expiration - datetime.now(UTC)).total_seconds() - seconds) < 5


@pytest.mark.parametrize(
    ("role", "seconds", "says"),
    [
        ("Plain", 3601, "exceeds the MaxSessionDuration"),
        ("Long", 43201, "less than or equal to 43200"),
    ],
)
def test_durations_that_are_too_long(broker, role, seconds, says):
    assert says in broker.refused(arn(role), DurationSeconds=seconds)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("899", "ValidationError"),
        ("-1", "ValidationError"),
        ("an%20hour", "MalformedInput"),
        ("9e2", "MalformedInput"),
    ],
)
def test_durations_that_are_none(broker, text, code):
    body = f"Action=AssumeRole&Version=2011-06-15&RoleArn={arn('Plain')}&RoleSessionName=ana&DurationSeconds={text}"
    assert broker.send(broker.prepared(body)).code == code


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


@pytest.mark.parametrize(
    "these",
    [
        tags(Team="web"),
        tags(Team=""),
        [{"Key": "Cost Center", "Value": "Köln 北京 .:/=+-@_"}],
        [{"Key": "k" * 128, "Value": "v" * 256}],
        [{"Key": f"k{n}", "Value": "v"} for n in range(50)],
    ],
    ids=lambda these: str(these)[:50],
)
def test_tags_that_aws_takes(broker, these):
    assert broker.answer(arn("Plain"), Tags=these)["Credentials"]


@pytest.mark.parametrize(
    ("these", "code"),
    [
        ([{"Key": "k" * 129, "Value": "v"}], "ValidationError"),
        ([{"Key": "k", "Value": "v" * 257}], "ValidationError"),
        ([{"Key": "k", "Value": "<b>"}], "ValidationError"),
        ([{"Key": "k", "Value": "a\tb"}], "ValidationError"),
        ([{"Key": "k", "Value": "a–b"}], "ValidationError"),
        ([{"Key": "k*", "Value": "v"}], "ValidationError"),
        ([{"Key": f"k{n}", "Value": "v"} for n in range(51)], "ValidationError"),
        ([{"Key": "aws:k", "Value": "v"}], "InvalidParameterValue"),
        ([*tags(Team="a"), *tags(team="b")], "InvalidParameterValue"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_tags_that_aws_refuses(broker, these, code):
    assert broker.refused(arn("Plain"), Tags=these).startswith(code)


def test_transitive_keys_must_be_tags(broker):
    broker.answer(arn("Plain"), Tags=tags(Team="web"), TransitiveTagKeys=["team"])
    said = broker.refused(arn("Plain"), Tags=tags(Team="web"), TransitiveTagKeys=["Cost"])
    assert said.startswith("InvalidParameterValue")


def test_a_role_that_does_not_exist_looks_like_one_that_is_closed(broker):
    said = broker.refused(arn("Nobody"))
    assert said == (
        "AccessDenied: User: arn:aws:iam::111122223333:user/daypass is not authorized to perform: "
        f"sts:AssumeRole on resource: {arn('Nobody')}"
    )
    assert broker.refused(arn("Other")) == said.replace("Nobody", "Other")


@pytest.mark.parametrize(
    "role", ["arn:aws:iam::111122223333:user/daypass", "arn:aws:iam::1:role/Plain", "x" * 30]
)
def test_what_is_no_role(broker, role):
    assert broker.refused(role).startswith("ValidationError")


def test_mfa_that_was_never_set_up_is_refused(broker):
    said = broker.refused(arn("Plain"), SerialNumber="GAHT12345678", TokenCode="123456")
    assert "MultiFactorAuthentication failed" in said


def test_session_policies_within_their_limits(broker):
    many = [{"arn": f"arn:aws:iam::aws:policy/P{n}"} for n in range(10)]
    broker.answer(arn("Plain"), Policy=ALLOW_ALL + " " * (1500 - len(ALLOW_ALL)), PolicyArns=many)
    broker.answer(arn("Plain"), PolicyArns=[{"arn": "arn:aws:iam::111122223333:policy/team/own"}])


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Policy": ALLOW_ALL + " " * 2048}, "ValidationError"),
        ({"Policy": ALLOW_ALL + "\u0100"}, "ValidationError"),
        ({"Policy": "{}"}, "MalformedPolicyDocument"),
        (
            {
                "Policy": ALLOW_ALL + " " * 1800,
                "PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/{'p' * 200}"}],
            },
            "PackedPolicyTooLarge",
        ),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/P{n}"} for n in range(11)]}, "ValidationError"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{FAR}:policy/theirs"}]}, "ValidationError"),
        ({"PolicyArns": [{"arn": "arn:aws:s3:::bucket-of-somebody"}]}, "ValidationError"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_session_policies_beyond_their_limits(broker, more, code):
    assert broker.refused(arn("Plain"), **more).startswith(code)


def test_tags_that_do_not_pack(broker):
    noise = [{"Key": f"k{n}", "Value": secrets.token_hex(120)} for n in range(20)]
    said = broker.refused(arn("Plain"), Tags=noise)
    assert said.startswith("PackedPolicyTooLarge") and "% of allotted space" in said


# --- trust ----------------------------------------------------------------------------------------

EXTERNAL = {"ExternalId": "secret/1:2"}


@pytest.mark.parametrize(
    ("role", "name", "more"),
    [
        ("Account", "ana-1", {}),
        ("Everyone", "ana-1", {}),
        ("OnlyAssume", "ana-1", {}),
        ("Tagged", "ana-1", {"Tags": tags(Team="web")}),
        ("Named", "ana-7", {}),
        ("WithSource", "ana-1", {"SourceIdentity": "corp.ana"}),
        ("WithTag", "ana-1", {"Tags": tags(team="web")}),
        ("KnownTags", "ana-1", {"Tags": tags(Team="x", Cost="y")}),
        ("KnownTags", "ana-1", {}),
        ("Denied", "ana-1", {}),
    ],
)
def test_trust_policies_that_let_the_caller_in(broker, role, name, more):
    assert broker.answer(arn(role), name, **more)["Credentials"]


@pytest.mark.parametrize(
    ("role", "name", "more", "action"),
    [
        ("AccountNotGranted", "ana-1", {}, "AssumeRole"),
        ("Other", "ana-1", {}, "AssumeRole"),
        ("Forbidden", "ana-1", {}, "AssumeRole"),
        ("OnlyAssume", "ana-1", {"Tags": tags(Team="web")}, "TagSession"),
        ("OnlyAssume", "ana-1", {"SourceIdentity": "corp.ana"}, "SetSourceIdentity"),
        ("Tagged", "ana-1", {"SourceIdentity": "corp.ana"}, "SetSourceIdentity"),
        ("Named", "ben-1", {}, "AssumeRole"),
        ("Named", "xana-1", {}, "AssumeRole"),
        ("WithSource", "ana-1", {}, "AssumeRole"),
        ("WithSource", "ana-1", {"SourceIdentity": "corp.ben"}, "AssumeRole"),
        ("WithTag", "ana-1", {}, "AssumeRole"),
        ("WithTag", "ana-1", {"Tags": tags(Team="sre")}, "AssumeRole"),
        ("KnownTags", "ana-1", {"Tags": tags(Team="x", Evil="y")}, "AssumeRole"),
        ("Odd", "ana-1", {}, "AssumeRole"),
        ("Denied", "ben", {}, "AssumeRole"),
    ],
)
def test_trust_policies_that_do_not(broker, role, name, more, action):
    said = broker.refused(arn(role), name, **more)
    assert said.startswith("AccessDenied") and f"sts:{action} on" in said


# --- chains ---------------------------------------------------------------------------------------


def test_a_chain_across_accounts(broker):
    end = broker.assume(arn("Hub")).assume(arn("Far", FAR), **EXTERNAL)
    assert end.sdk.get_caller_identity()["Arn"] == f"arn:aws:sts::{FAR}:assumed-role/Far/ana-1"


@pytest.mark.parametrize("more", [{}, {"ExternalId": "secret/1:3"}, {"ExternalId": "secret/1:2x"}])
def test_without_the_external_id_there_is_no_way_in(broker, more):
    assert broker.assume(arn("Hub")).refused(arn("Far", FAR), **more).startswith("AccessDenied")


@pytest.mark.parametrize("external_id", ["a b", "a" * 1225, "a*"])
def test_external_ids_that_are_none(broker, external_id):
    said = broker.assume(arn("Hub")).refused(arn("Far", FAR), ExternalId=external_id)
    assert said.startswith("ValidationError")


def test_across_accounts_the_callers_own_policies_must_allow_too(broker):
    assert broker.refused(arn("Far", FAR), **EXTERNAL).startswith("AccessDenied")
    assert broker.assume(arn("Poor")).refused(arn("Far", FAR), **EXTERNAL).startswith("AccessDenied")


def test_a_chained_session_gets_an_hour_at_most(broker):
    hub = broker.assume(arn("Hub"))
    hub.answer(arn("Far", FAR), DurationSeconds=3600, **EXTERNAL)
    assert "1 hour session limit" in hub.refused(arn("Far", FAR), DurationSeconds=3601, **EXTERNAL)


def test_a_source_identity_goes_on_and_never_changes(broker):
    hub = broker.assume(arn("Hub"), SourceIdentity="corp.ana")
    assert hub.answer(arn("FarOpen", FAR))["SourceIdentity"] == "corp.ana"
    assert hub.answer(arn("FarOpen", FAR), SourceIdentity="corp.ana")["SourceIdentity"] == "corp.ana"
    assert "SetSourceIdentity" in hub.refused(arn("FarOpen", FAR), SourceIdentity="corp.ben")


def test_a_source_identity_needs_its_permission_at_every_step(broker):
    assert "SetSourceIdentity" in broker.assume(arn("Hub"), SourceIdentity="corp.ana").refused(
        arn("FarNoSource", FAR)
    )
    assert broker.assume(arn("Hub")).answer(arn("FarNoSource", FAR))


def test_a_trust_policy_may_ask_who_began_the_chain(broker):
    assert broker.assume(arn("Hub"), SourceIdentity="corp.ana").answer(arn("FarForAna", FAR))
    assert "AssumeRole" in broker.assume(arn("Hub"), SourceIdentity="corp.ben").refused(arn("FarForAna", FAR))
    assert "AssumeRole" in broker.assume(arn("Hub")).refused(arn("FarForAna", FAR), SourceIdentity="corp.ana")


def test_only_transitive_tags_go_on(broker, double):
    hub = broker.assume(arn("Hub"), Tags=tags(Team="web", Cost="42"), TransitiveTagKeys=["Team"])
    hub.answer(arn("FarOpen", FAR))
    end = hub.assume(arn("FarOpen", FAR), Tags=tags(Cost="43"))
    assert end
    said = hub.refused(arn("FarOpen", FAR), Tags=tags(team="sre"))
    assert said.startswith("InvalidParameterValue") and "conflicts with a transitive tag key" in said


def test_inherited_tags_need_the_permission_to_tag(broker):
    tagged = broker.assume(arn("Hub"), Tags=tags(Team="web"), TransitiveTagKeys=["Team"])
    assert "TagSession" in tagged.refused(arn("FarNoTags", FAR))
    assert broker.assume(arn("Hub"), Tags=tags(Team="web")).answer(arn("FarNoTags", FAR))


def test_a_trust_policy_may_ask_for_the_callers_tag(broker):
    assert broker.assume(arn("Hub"), Tags=tags(Team="web")).answer(arn("FarForWeb", FAR))
    assert "AssumeRole" in broker.assume(arn("Hub"), Tags=tags(Team="sre")).refused(arn("FarForWeb", FAR))


def test_a_trust_policy_may_name_one_session(broker):
    assert broker.assume(arn("Hub"), "ana-1").answer(arn("FarForSession", FAR))
    assert "AssumeRole" in broker.assume(arn("Hub"), "ana-2").refused(arn("FarForSession", FAR))


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"Effect": "Allow", "Action": ALL, "Resource": "*"}, True),
        ({"Effect": "Allow", "Action": "STS:*", "Resource": f"arn:aws:iam::{FAR}:role/Far*"}, True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": ALL, "NotResource": f"arn:aws:iam::{FAR}:role/*"}, False),
        ({"Effect": "Allow", "Action": ALL, "Resource": f"arn:aws:iam::{FAR}:role/far*"}, False),
        ({"Effect": "Deny", "Action": ALL, "Resource": "*"}, False),
    ],
)
def test_a_session_policy_caps_what_the_session_may_assume(broker, statement, allowed):
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    hub = broker.assume(arn("Hub"), Policy=policy)
    if allowed:
        assert hub.answer(arn("FarOpen", FAR))
    else:
        assert hub.refused(arn("FarOpen", FAR)).startswith("AccessDenied")


def test_managed_session_policies_cap_too(broker):
    admin, reader = (
        [{"arn": f"arn:aws:iam::aws:policy/{n}"}] for n in ("AdministratorAccess", "ReadOnlyAccess")
    )
    assert broker.assume(arn("Hub"), PolicyArns=admin).answer(arn("FarOpen", FAR))
    assert (
        broker.assume(arn("Hub"), PolicyArns=reader).refused(arn("FarOpen", FAR)).startswith("AccessDenied")
    )
