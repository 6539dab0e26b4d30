"""What goes to STS: names, durations, tags, session policies."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DurationInvalid, RequestNotPossible
from app.issue import (
    CLIENT,
    IDENTITY_ID,
    NO_VARIABLES,
    build,
    identity_name,
    missing_variables,
    session_name,
    session_variables,
    source_identity,
)
from app.model import (
    EXCHANGE,
    GUEST,
    Authentication,
    ClaimMap,
    Client,
    Endpoint,
    GroupMap,
    Identity,
    PolicyText,
    Revision,
    Role,
    RoleArn,
    RoleAsk,
    SamlProvider,
    Session,
    Settings,
    SourceId,
)
from app.people import LocalUser
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
        clients={"photo": Client("photo", "Photos", frozenset({EXCHANGE}), guests=True)},
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


def built(seconds=None, who=None, variables=NO_VARIABLES, client=None, **options):
    given_revision = revision(**options)
    person = principal(who or identity(), given_revision, client)
    return build(person, given_revision.roles[ARN], ask(seconds), given_revision, variables)


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


def folder(variable):
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::b/${{{variable}}}/*"}
    return {"own-folder": {"Version": "2012-10-17", "Statement": [statement]}}


def resource(request):
    return json.loads(request.policy or "")["Statement"][0]["Resource"]


def test_a_variable_of_the_session_is_filled_in():
    options = {"session_policy": "own-folder", "policies": folder("daypass:identity-id")}
    sent = built(variables={"daypass:identity-id": "7f*a"}, **options)
    assert resource(sent) == "arn:aws:s3:::b/7f${*}a/*"
    with pytest.raises(RequestNotPossible) as refused:
        built(**options)
    assert "${daypass:identity-id}" in refused.value.words


@pytest.mark.parametrize(
    ("variable", "values", "expected"),
    [
        ("daypass:Source", (), "arn:aws:s3:::b/corp/*"),
        ("daypass:Claim/team", ("web",), "arn:aws:s3:::b/web/*"),
        ("daypass:Claim/team", ("web", "ops"), None),
        ("daypass:Claim/team", (), None),
    ],
)
def test_a_variable_of_the_person_is_filled_in_if_it_has_one_value(variable, values, expected):
    options = {"session_policy": "own-folder", "policies": folder(variable), "who": identity(team=values)}
    if expected is None:
        with pytest.raises(RequestNotPossible):
            built(**options)
    else:
        assert resource(built(**options)) == expected


def test_variables_are_filled_in_where_a_boundary_caps_the_session_policy():
    sent = built(
        variables={"daypass:identity-id": "7f3a"},
        session_policy="own-folder",
        boundary="reading",
        policies={**folder("daypass:identity-id"), "reading": document("s3:Get*")},
    )
    statement = json.loads(sent.policy or "")["Statement"][0]
    assert statement["Resource"] == "arn:aws:s3:::b/7f3a/*" and statement["Action"].lower() == "s3:get*"


def test_a_session_policy_too_long_for_sts_is_refused_here():
    with pytest.raises(RequestNotPossible):
        built(session_policy="long", policies={"long": document(*[f"s3:Get{n}" for n in range(300)])})


def test_a_hub_that_nobody_may_ask_for_is_still_gone_through():
    hub = RoleArn("arn:aws:iam::111122223333:role/Hub")
    assert [hop.arn for hop in built(via=hub).hops] == [hub]


# --- people of apps -----------------------------------------------------------------------------------

ID = "5f6c3ab1-1111-4222-8333-444455556666"


def session(**changes):
    at = datetime(2026, 11, 24, tzinfo=UTC)
    values = {
        "id": "s",
        "identity": identity(),
        "created_at": at,
        "expires_at": at,
        "idle_at": at,
        "csrf": "c",
    }
    return Session(**(values | changes))


def test_the_session_gives_client_and_identity_as_variables_and_nothing_that_is_empty():
    assert session_variables(session()) == {}
    assert session_variables(session(client="cli", device="x")) == {CLIENT: "cli"}
    app = session_variables(session(client="photo", pool_identity=ID))
    assert app == {CLIENT: "photo", IDENTITY_ID: ID}
    sent = built(variables=app, session_policy="own-folder", policies=folder("daypass:client"))
    assert resource(sent) == "arn:aws:s3:::b/photo/*"


def test_aws_knows_who_uses_an_app_by_the_identity_alone():
    who = identity("ana@acme.test", "ana@acme.test", mail=["ana@acme.test"])
    sent = built(who=who, client="photo", variables={IDENTITY_ID: ID, CLIENT: "photo"})
    assert (sent.source_identity, sent.session_name) == (f"app-{ID}", f"photo-{ID}")
    assert "ana" not in repr(sent)
    plain = built(who=who)
    assert plain.session_name.startswith("ana@acme.test-") and plain.source_identity.startswith("corp-")


def test_two_sources_of_one_identity_have_one_name_and_two_identities_two():
    one = built(variables={IDENTITY_ID: ID}).source_identity
    assert built(who=identity("ben", "s-2"), variables={IDENTITY_ID: ID}).source_identity == one
    assert built(variables={IDENTITY_ID: ID.replace("5", "6")}).source_identity != one


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_whatever_an_identitys_id_is_its_names_fit_and_never_meet(one, other):
    names = [identity_name(each) for each in (one, other)]
    assert all(map(ALPHABET.fullmatch, names))
    assert (names[0] == names[1]) is (one == other)
    assert identity_name(ID) not in names


def test_the_longest_client_leaves_the_identity_whole():
    sent = built(variables={IDENTITY_ID: ID, CLIENT: "c" * 32})
    assert sent.session_name == f"{'c' * 27}-{ID}" and ALPHABET.fullmatch(sent.session_name)
    assert built(variables={IDENTITY_ID: ID}).session_name == f"app-{ID}"


def test_a_guest_brings_no_tags_and_no_boundary():
    options = {
        "tags": {"CostCenter": "cc"},
        "role_tags": {"team": "web"},
        "boundary": "ec2-only",
        "session_policy": "own-folder",
        "policies": {"ec2-only": document("ec2:*"), **folder("daypass:identity-id")},
    }
    who = identity("guest", ID, GUEST, cc=["a", "b"])
    sent = built(who=who, client="photo", variables={IDENTITY_ID: ID}, **options)
    assert sent.tags == {"team": "web"}
    assert resource(sent) == f"arn:aws:s3:::b/{ID}/*"
    with pytest.raises(RequestNotPossible):
        built(who=identity(cc=["a", "b"]), variables={IDENTITY_ID: ID}, **options)


def missed(variables=NO_VARIABLES, who=None, **options):
    made = revision(**options)
    return missing_variables(principal(who or identity(), made), made.roles[ARN], made, variables)


def test_what_a_session_policy_lacks_is_known_before_anybody_asks():
    options = {"session_policy": "own-folder", "policies": folder("daypass:identity-id")}
    assert missed(**options) == {"daypass:identity-id"}
    assert missed({IDENTITY_ID: ID}, **options) == frozenset()
    assert missed() == frozenset()
    assert missed(session_policy="all", policies={"all": document("*")}) == frozenset()
    team = {"session_policy": "own-folder", "policies": folder("daypass:Claim/team")}
    assert missed(**team) == {"daypass:claim/team"}
    assert missed(who=identity(team=["web"]), **team) == frozenset()


def test_what_a_boundary_lacks_counts_too_and_another_fault_is_left_to_build():
    boundary = {"boundary": "own-folder", "policies": folder("daypass:identity-id")}
    assert missed(**boundary) == {"daypass:identity-id"}
    long = folder("daypass:identity-id")
    long["own-folder"]["Statement"][0]["Action"] = [f"s3:Get{number}" for number in range(300)]
    assert missed(session_policy="own-folder", policies=long) == frozenset()


def test_a_role_for_people_of_an_app_says_so_to_others():
    with pytest.raises(RequestNotPossible) as refused:
        built(session_policy="own-folder", policies=folder("daypass:identity-id"))
    assert "for people of an app" in refused.value.words and "daypass:identity-id" in refused.value.detail
    with pytest.raises(RequestNotPossible) as refused:
        built(session_policy="own-folder", policies=folder("daypass:Claim/team"))
    assert "for people of an app" not in refused.value.words


# --- a local user's boundary ------------------------------------------------------------------------------


def test_without_its_boundary_nothing_is_given_to_a_local_user():
    """No revision is checked against what users carry: what capped their sessions may be gone, or be none any more."""
    made = revision(session_policy="all", policies={"all": document("*"), "odd": {"Statement": []}})
    user = LocalUser("s-1", "ana", boundary="all")
    who = identity(source="local")
    assert build(principal(who, made, user=user), made.roles[ARN], ask(), made).policy is not None
    for boundary, words in (
        ("gone", "'gone' is not in revision 7"),
        ("aws:X", "is not in"),
        ("odd", "policies/odd"),
    ):
        person = principal(who, made, user=replace(user, boundary=boundary))
        with pytest.raises(RequestNotPossible) as refused:
            build(person, made.roles[ARN], ask(), made)
        assert words in refused.value.detail
        assert missing_variables(person, made.roles[ARN], made) == frozenset()
