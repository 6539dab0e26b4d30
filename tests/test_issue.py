"""What goes to STS: names, durations, tags, session policies."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DurationInvalid, RequestNotPossible
from app.issue import build, session_name, source_identity
from app.model import (
    Authentication,
    ClaimMap,
    Endpoint,
    GroupMap,
    Identity,
    PolicyText,
    Revision,
    Role,
    RoleArn,
    RoleAsk,
    SamlProvider,
    Settings,
    SourceId,
)
from app.principal import principal

ALPHABET = re.compile(r"[A-Za-z0-9+=,.@-]{2,64}")
ARN = RoleArn("arn:aws:iam::111122223333:role/ReadOnly")


def revision(
    *, tags=None, boundary=None, session_policy=None, via=None, policies=None, role_tags=None, longest=3600
):
    provider = SamlProvider(
        id=SourceId("corp"),
        label="Acme",
        claims=ClaimMap(subject="NameID", username="uid", groups="memberOf"),
        groups=GroupMap({"eng": "engineering"}),
        metadata_xml=b"<x/>",
        session_tags=tags or {},
        boundary=boundary,
    )
    role = Role(
        arn=ARN,
        account="111122223333",
        account_name="production",
        name="ReadOnly",
        max_duration=timedelta(seconds=longest),
        session_policy=session_policy,
        via=via,
        tags=role_tags or {},
    )
    return Revision(
        number=7,
        digest="",
        settings=Settings(
            "Acme", "http://localhost:8000", "sqlite://", "keys", Endpoint("aws", ("eu-west-1",))
        ),
        providers={provider.id: provider},
        roles={ARN: role},
        groups={},
        policies={
            name: PolicyText(name, json.dumps(document), f"policies/{name}.json")
            for name, document in (policies or {}).items()
        },
    )


def identity(username="ana", subject="s-1", source="corp", **claims):
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return Identity(
        source=SourceId(source),
        subject=subject,
        username=username,
        claims={"memberOf": ("eng",), **{name: tuple(values) for name, values in claims.items()}},
        authentication=Authentication(at=at),
    )


def ask(seconds=None):
    return RoleAsk(role=ARN, duration=None if seconds is None else timedelta(seconds=seconds))


def built(seconds=None, who=None, **options):
    given_revision = revision(**options)
    return build(
        principal(who or identity(), given_revision), given_revision.roles[ARN], ask(seconds), given_revision
    )


@pytest.mark.parametrize(
    ("asked", "longest", "given_seconds"),
    [(None, 3600, 3600), (None, 1800, 1800), (900, 3600, 900), (3600, 3600, 3600), (3600, 1800, 1800)],
)
def test_duration_is_the_default_or_what_was_asked_capped_by_the_role(asked, longest, given_seconds):
    assert built(asked, longest=longest).duration == timedelta(seconds=given_seconds)


@pytest.mark.parametrize("asked", [899, 3601, 0, -900, 900.5, 10**9])
def test_a_duration_outside_900_to_3600_whole_seconds_is_refused(asked):
    with pytest.raises(DurationInvalid):
        built(asked)


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_names_towards_aws_fit_its_alphabet_and_never_meet(username, subject):
    mine = source_identity(SourceId("corp"), subject)
    assert ALPHABET.fullmatch(mine)
    assert ALPHABET.fullmatch(session_name(username, mine))
    assert mine != source_identity(SourceId("corp"), subject + "x")
    assert mine != source_identity(SourceId("corpx"), subject)


def test_source_and_subject_cannot_be_shifted_into_one_another():
    assert (
        source_identity(SourceId("a"), "b:c").split("-")[-1]
        != source_identity(SourceId("a"), "bc").split("-")[-1]
    )
    ends = {
        source_identity(SourceId(s), t).rsplit("-", 1)[-1]
        for s, t in [("a", "1:x"), ("a1", ":x"), ("a1:x", "")]
    }
    assert len(ends) == 3


def test_the_longest_source_name_still_fits():
    assert ALPHABET.fullmatch(source_identity(SourceId("x" * 32), "s"))


def test_a_username_that_copies_another_session_name_gets_a_suffix_of_its_own():
    ana = built(who=identity("ana", "s-1")).session_name
    mallory = built(who=identity(ana, "s-2")).session_name
    assert mallory != ana and mallory.rsplit("-", 1)[-1] != ana.rsplit("-", 1)[-1]


def test_session_tags_come_from_claims_and_the_role():
    request = built(tags={"CostCenter": "cc"}, role_tags={"team": "web"}, who=identity(cc=["4711"]))
    assert request.tags == {"CostCenter": "4711", "team": "web"}


@pytest.mark.parametrize("values", [["a", "b"], ["<script>"], ["x" * 257], ["a\x00b"]])
def test_a_claim_that_is_no_session_tag_refuses(values):
    with pytest.raises(RequestNotPossible):
        built(tags={"CostCenter": "cc"}, who=identity(cc=values))


def test_a_missing_claim_sends_no_tag():
    assert built(tags={"CostCenter": "cc"}).tags == {}


def document(*actions, effect="Allow"):
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": effect, "Action": list(actions), "Resource": "*"}],
    }


def test_a_boundary_travels_as_session_policy():
    sent = built(boundary="ec2-only", policies={"ec2-only": document("ec2:*")}).policy
    assert json.loads(sent or "") == document("ec2:*")
    assert " " not in (sent or "")


def test_boundary_and_session_policy_are_sent_as_one_that_allows_what_both_allow():
    sent = built(
        boundary="ec2-only",
        session_policy="all",
        policies={"ec2-only": document("ec2:*"), "all": document("*")},
    ).policy
    statement = json.loads(sent or "")["Statement"]
    allowed = [entry["Action"] for entry in statement if entry["Effect"] == "Allow"]
    assert allowed and all(
        "ec2:" in action for entry in allowed for action in ([entry] if isinstance(entry, str) else entry)
    )


def test_a_session_policy_too_long_for_sts_is_refused_here():
    with pytest.raises(RequestNotPossible):
        built(session_policy="long", policies={"long": document(*[f"s3:Get{n}" for n in range(300)])})


def test_a_hub_that_nobody_may_ask_for_is_still_gone_through():
    hub = RoleArn("arn:aws:iam::111122223333:role/Hub")
    assert [hop.arn for hop in built(via=hub).hops] == [hub]
