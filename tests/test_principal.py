"""Groups: a directory cannot name itself into another's, nor into an app's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NotSignedIn
from app.model import (
    EXCHANGE,
    GUEST,
    Authentication,
    Caller,
    ClaimMap,
    Client,
    Endpoint,
    Group,
    GroupMap,
    Identity,
    OAuth2Provider,
    OidcProvider,
    PolicyText,
    Revision,
    SamlProvider,
    Session,
    Settings,
    SourceId,
)
from app.people import LOCAL, ROOT, LocalUser, UserState
from app.principal import asking, map_groups, principal, subject_space, trust

CORP = SourceId("corp")


def test_a_bare_name_comes_only_from_an_explicit_row():
    table = GroupMap({"CN=Engineering": "engineering"})
    assert map_groups(CORP, table, ["CN=Engineering", "sre", "partner/x"]) == {"engineering"}


def test_keep_takes_the_rest_under_the_sources_own_name():
    table = GroupMap({"a": "engineering"}, keep=True)
    assert map_groups(CORP, table, ["a", "sre", "partner/sre"]) == {
        "engineering",
        "corp/sre",
        "corp/partner/sre",
    }


@given(st.lists(st.text(max_size=30)), st.booleans())
def test_no_list_of_names_gives_a_bare_group_that_the_table_does_not_name(theirs, keep):
    ours = map_groups(CORP, GroupMap({"x": "engineering"}, keep=keep), theirs)
    assert all(name == "engineering" or name.startswith("corp/") for name in ours)


# --- people of apps -----------------------------------------------------------------------------------

AT = datetime(2026, 11, 24, tzinfo=UTC)
APP = Client("photo", "Photos", frozenset({EXCHANGE}), guests=True)
QUIET = Client("quiet", "Quiet", frozenset({EXCHANGE}))
BOT = Client("bot", "Bot", frozenset({"refresh_token"}))


def revision() -> Revision:
    provider = SamlProvider(
        id=CORP,
        label="Acme",
        claims=ClaimMap("NameID", "uid", groups="memberOf"),
        groups=GroupMap({"eng": "engineering"}, keep=True),
        metadata_xml=b"<x/>",
        session_tags={"CostCenter": "costCenter"},
        boundary="ec2-only",
    )
    aws = Endpoint("aws", ("eu-west-1",))
    return Revision(
        number=7,
        digest="",
        settings=Settings("Acme", "http://localhost:8000", "sqlite://", "keys", aws),
        providers={CORP: provider},
        roles={},
        groups={
            "app/photo": Group("app/photo", policies=("p",)),
            "app/photo/guests": Group("app/photo/guests", policies=("g",)),
        },
        policies={},
        clients={each.id: each for each in (APP, QUIET, BOT)},
    )


def identity(*groups: str, source: SourceId = CORP) -> Identity:
    claims = {"memberOf": groups, "costCenter": ("4711",)}
    return Identity(source, "s-1", "ana", claims, Authentication(at=AT))


def test_whom_an_app_brings_has_its_group_beside_the_sources_own() -> None:
    found = principal(identity("eng"), revision(), "photo")
    assert found.groups == {"engineering", "app/photo"}
    assert (found.policies, found.boundary, found.tags) == (("p",), "ec2-only", {"CostCenter": "4711"})


@pytest.mark.parametrize("client", [None, "bot", "gone", "cli"])
def test_other_sessions_have_no_group_of_an_app(client: str | None) -> None:
    assert principal(identity("eng"), revision(), client).groups == {"engineering"}


def test_a_directory_cannot_name_anybody_into_an_app() -> None:
    found = principal(identity("app/photo", "photo", "app/photo/guests"), revision())
    assert found.groups == {"corp/app/photo", "corp/photo", "corp/app/photo/guests"}
    assert found.policies == ()


def test_a_guest_has_the_group_of_guests_and_nothing_else() -> None:
    found = principal(identity("eng", "app/photo", source=GUEST), revision(), "photo")
    assert found.groups == {"app/photo/guests"}
    assert (found.policies, found.boundary, found.tags) == (("g",), None, {})


@pytest.mark.parametrize("client", [None, "quiet", "bot", "gone"])
def test_there_is_no_guest_without_an_app_that_has_them(client: str | None) -> None:
    with pytest.raises(NotSignedIn):
        principal(identity(source=GUEST), revision(), client)


def test_what_the_session_says_of_client_device_and_identity_is_what_counts() -> None:
    session = Session("s", identity(), AT, AT + timedelta(hours=1), AT + timedelta(hours=1), csrf="c")
    liar = Caller("r", "192.0.2.7", client="photo", device="x", identity_id="1")
    browser = asking(session, liar)
    assert (browser.client, browser.device, browser.identity_id) == (None, None, None)
    app = asking(replace(session, client="photo", device="phone", pool_identity="7f"), liar)
    assert (app.client, app.device, app.identity_id) == ("photo", "phone", "7f")


# --- local users and root -------------------------------------------------------------------------------

ANA = LocalUser(
    id="s-1",
    username="ana",
    groups=("engineering", "sre"),
    policies=("own", "p"),
    inline=(PolicyText("extra", "{}", "user/ana/extra"),),
    boundary="cap",
)


def carrying() -> Revision:
    made = revision()
    groups = {"engineering": Group("engineering", policies=("p", "e")), "sre": Group("sre", policies=("s",))}
    return replace(made, groups={**made.groups, **groups})


def test_a_local_user_has_what_is_attached_to_them_before_what_their_groups_carry() -> None:
    found = principal(identity("eng", source=LOCAL), carrying(), user=ANA)
    assert found.groups == {"engineering", "sre"}
    assert found.policies == ("own", "p", "e", "s")
    assert (found.inline, found.boundary, found.tags, found.root) == (ANA.inline, "cap", {}, False)


def test_a_new_local_user_has_nothing() -> None:
    found = principal(identity("eng", source=LOCAL), carrying(), user=LocalUser("s-1", "ana"))
    assert (found.groups, found.policies, found.inline, found.boundary) == (frozenset(), (), (), None)


def test_a_local_user_in_an_app_that_brings_its_people_has_its_group_too() -> None:
    assert "app/photo" in principal(identity(source=LOCAL), carrying(), "photo", ANA).groups


@pytest.mark.parametrize(
    "user",
    [
        None,
        replace(ANA, id="s-2"),
        replace(ANA, state=UserState.DISABLED),
        replace(ANA, state=UserState.DELETED),
    ],
)
def test_nobody_is_a_local_user_who_is_not_given_or_may_not_sign_in(user: LocalUser | None) -> None:
    with pytest.raises(NotSignedIn):
        principal(identity(source=LOCAL), carrying(), user=user)


def test_a_directorys_person_gets_nothing_of_a_local_user() -> None:
    assert principal(identity("eng"), carrying(), user=ANA) == principal(identity("eng"), carrying())


def test_root_has_no_groups_and_no_policies() -> None:
    claims = {"memberOf": ("eng",), "costCenter": ("1",)}
    who = Identity(ROOT, "root", "root", claims, Authentication(at=AT))
    found = principal(who, carrying(), "photo", ANA)
    assert found.root
    assert (found.groups, found.policies, found.inline, found.boundary, found.tags) == (
        frozenset(), (), (), None, {},
    )  # fmt: skip
    with pytest.raises(NotSignedIn):
        principal(replace(who, subject="ana"), carrying())


# --- whose subjects they are ------------------------------------------------------------------------------

METADATA = (
    b'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s">%s</EntityDescriptor>'
)
SAML = SamlProvider(
    CORP, "Acme", ClaimMap("NameID", "uid"), GroupMap({}), metadata_xml=METADATA % (b"https://idp", b"<a/>")
)
OIDC = OidcProvider(CORP, "Acme", "https://op", "us", None, ClaimMap("sub", "name"), GroupMap({}))
OAUTH = OAuth2Provider(
    CORP, "Acme", "https://a", "https://t", "https://u", "us", None, ClaimMap("id", "name"), GroupMap({})
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SAML, replace(SAML, metadata_xml=METADATA % (b"https://idp", b"<new-certificate/>"))),
        (SAML, replace(SAML, claims=ClaimMap("NameID", "mail", groups="memberOf"), label="Other")),
        (OIDC, replace(OIDC, client_id="anew", scopes=("openid", "email"), userinfo=True)),
        (OAUTH, replace(OAUTH, client_id="anew", token_url="https://t2", emails_url="https://e")),
        (None, None),
    ],
)
def test_people_stay_the_same_where_only_the_way_of_asking_changes(one, other) -> None:
    assert subject_space(one) == subject_space(other)
    assert one is None or len(subject_space(one)) == len(trust(one))


def test_people_are_others_where_somebody_else_gives_their_subjects_out() -> None:
    spaces = [
        subject_space(each)
        for each in (
            None,
            SAML,
            replace(SAML, metadata_xml=METADATA % (b"https://other", b"")),
            replace(SAML, metadata_xml=b"no xml"),
            replace(SAML, metadata_xml=b"<x/>"),
            replace(SAML, metadata_xml=None, metadata_url="https://idp"),
            replace(SAML, metadata_xml=None, metadata_url="https://idp2"),
            replace(SAML, claims=ClaimMap("mail", "uid")),
            OIDC,
            replace(OIDC, issuer="https://op2"),
            replace(OIDC, claims=ClaimMap("email", "name")),
            OAUTH,
            replace(OAUTH, userinfo_url="https://u2"),
        )
    ]
    assert len(set(spaces)) == len(spaces)
