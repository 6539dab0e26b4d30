"""From what a source says to a person: mapping, and every way in which a needed thing is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from app.errors import GroupsIncomplete, IdentityIncomplete, Refusal
from app.model import (
    Authentication,
    ClaimMap,
    GroupMap,
    Identity,
    OidcProvider,
    Provider,
    SamlProvider,
    SourceId,
)
from app.signin.claims import MAX_GROUP_NAME, MAX_GROUPS, identity
from tests.signin.oidc.builders import NOW

ENGINEERING = "CN=Engineering,OU=Groups,DC=acme,DC=test"
LINK = "http://schemas.microsoft.com/claims/groups.link"
APP_ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"

CORP = SamlProvider(
    id=SourceId("corp"),
    label="Acme staff",
    claims=ClaimMap("NameID", "uid", "mail", "displayName", "memberOf"),
    groups=GroupMap({ENGINEERING: "engineering", "sre": "sre"}),
    metadata_url="https://idp.acme.example/metadata",
)
PARTNER = OidcProvider(
    id=SourceId("partner"),
    label="Partners",
    issuer="https://idp.partner.example",
    client_id="daypass",
    client_secret=None,
    claims=ClaimMap("sub", "preferred_username", "email", "name", "groups"),
    groups=GroupMap({"contractors": "contractors"}),
)
ANA = {
    "NameID": ("ana-1",),
    "uid": ("ana",),
    "mail": ("ana@acme.example",),
    "displayName": ("Ana Pérez",),
    "memberOf": (ENGINEERING, "sre", "other"),
}
PIOTR = {"sub": ("p-1",), "preferred_username": ("piotr",), "groups": ("contractors",)}


def read(
    provider: Provider = CORP,
    claims: dict[str, tuple[str, ...]] = ANA,
    *,
    complete: bool = True,
    gone: str = "",
    **changes: tuple[str, ...],
) -> Identity:
    said = {name: values for name, values in {**claims, **changes}.items() if name != gone}
    return identity(provider, said, Authentication(NOW), groups_complete=complete)


def code(provider: Provider = CORP, claims: dict[str, tuple[str, ...]] = ANA, **how: object) -> str:
    with pytest.raises(Refusal) as caught:
        read(provider, claims, **how)  # type: ignore[arg-type]
    return caught.value.code


def keeping(provider: Provider) -> Provider:
    return replace(provider, groups=replace(provider.groups, keep=True))


def test_a_person_is_read_by_the_sources_own_tables() -> None:
    assert read() == Identity(
        source=SourceId("corp"),
        subject="ana-1",
        username="ana",
        claims=ANA,
        authentication=Authentication(NOW),
        name="Ana Pérez",
        email="ana@acme.example",
        groups=("engineering", "sre"),
    )


def test_the_claims_are_a_copy() -> None:
    given_claims = dict(ANA)
    found = identity(CORP, given_claims, Authentication(NOW), groups_complete=True)
    given_claims["uid"] = ("root",)
    assert found.claims["uid"] == ("ana",)


@pytest.mark.parametrize("claim", ["NameID", "uid"])
@pytest.mark.parametrize(
    "values",
    [(), ("",), (" ",), ("a", "b"), ("ana", "ana"), (" ana",), ("ana ",), ("a\nb",), ("a\x00",), ("a\x1b[31m",),
     ("a\u202eb",), ("a\u200bb",), ("a\ud800",), ("a\xa0b",), ("x" * 256,)],
)  # fmt: skip
def test_a_needed_claim_is_there_once_and_readable(claim: str, values: tuple[str, ...]) -> None:
    assert code(**{claim: values}) == "identity.incomplete"
    assert code(gone=claim) == "identity.incomplete"
    assert read(**{claim: ("x" * 255,)}).source == "corp"


def test_names_of_claims_are_exact() -> None:
    assert code(gone="uid", UID=("ana",)) == "identity.incomplete"
    assert code(gone="memberOf", memberof=("sre",)) == "identity.groups_incomplete"
    assert read(UID=("root",), memberof=("admins",)) == replace(
        read(), claims={**ANA, "UID": ("root",), "memberof": ("admins",)}
    )


@pytest.mark.parametrize("values", [(), ("",), ("a", "b"), ("a\r\nb",), ("x" * 256,), ("\u202ecba",)])
def test_what_only_informs_is_left_out_when_it_is_odd(values: tuple[str, ...]) -> None:
    found = read(mail=values, displayName=values)
    assert (found.email, found.name) == (None, None)


def test_names_of_people_may_hold_joiners_and_blanks_around() -> None:
    assert read(displayName=(" علی\u200cرضا ",)).name == "علی\u200cرضا"


def test_a_source_without_email_and_name_has_none() -> None:
    plain = replace(CORP, claims=ClaimMap("NameID", "uid", groups="memberOf"))
    assert (read(plain).email, read(plain).name) == (None, None)


@pytest.mark.parametrize(
    ("verified", "email"),
    [
        (("true",), "p@x"),
        (("false",), None),
        ((), None),
        (("true", "true"), None),
        (("1",), None),
        (("True",), None),
    ],
)
def test_an_openid_providers_email_counts_only_when_verified(
    verified: tuple[str, ...], email: str | None
) -> None:
    assert read(PARTNER, PIOTR, email=("p@x",), email_verified=verified).email == email
    assert read(PARTNER, PIOTR, email=("p@x",)).email is None


# --- groups ---------------------------------------------------------------------------------------


def test_a_bare_group_comes_only_from_an_explicit_row() -> None:
    assert read(memberOf=("engineering", "SRE", "admins")).groups == ()
    assert read(memberOf=("sre", "sre", ENGINEERING)).groups == ("engineering", "sre")
    assert read(memberOf=(ENGINEERING.lower(), ENGINEERING + ",DC=evil")).groups == ()


def test_kept_groups_stay_under_their_sources_name() -> None:
    names = ("sre", "finance", "partner/contractors", "../sre", "corp/x", "*")
    found = read(keeping(CORP), memberOf=names).groups
    assert found == (
        "corp/*",
        "corp/../sre",
        "corp/corp/x",
        "corp/finance",
        "corp/partner/contractors",
        "sre",
    )
    assert "contractors" not in read(keeping(CORP), memberOf=("contractors",)).groups
    assert read(keeping(PARTNER), PIOTR, groups=("engineering",)).groups == ("partner/engineering",)


def test_an_empty_list_is_no_group_and_a_missing_one_is_refused() -> None:
    assert read(memberOf=()).groups == ()
    assert read(memberOf=("", " ")).groups == ()
    assert code(gone="memberOf") == "identity.groups_incomplete"


def test_a_source_whose_groups_are_not_mapped_has_none() -> None:
    plain = replace(CORP, claims=replace(CORP.claims, groups=None))
    assert read(plain).groups == ()
    assert read(plain, complete=False, gone="memberOf").groups == ()


@pytest.mark.parametrize("provider", [CORP, keeping(CORP)])
@pytest.mark.parametrize("name", ["a\nb", " admins", "x" * (MAX_GROUP_NAME + 1), "a\u202eb", "a\ud800"])
def test_a_group_name_that_cannot_be_read_refuses_the_list(provider: Provider, name: str) -> None:
    assert code(provider, memberOf=("sre", name)) == "identity.groups_incomplete"


def test_an_overlong_list_is_refused_and_not_cut() -> None:
    names = tuple(f"g{number}" for number in range(MAX_GROUPS))
    assert read(memberOf=names).groups == ()
    assert len(read(keeping(CORP), memberOf=names).groups) == MAX_GROUPS
    assert code(memberOf=(*names, "sre")) == "identity.groups_incomplete"


def test_the_kind_of_source_may_say_that_the_list_is_cut() -> None:
    assert code(complete=False) == "identity.groups_incomplete"


@pytest.mark.parametrize(
    "mark",
    [{"_claim_names.groups": ("src1",)}, {"_claim_names.groups": ()}, {"hasgroups": ("true",)},
     {"hasgroups": ("yes",)}, {"hasgroups": ()}, {LINK: ("https://graph.windows.net/x",)}, {LINK: ()}],
)  # fmt: skip
def test_a_mark_of_a_cut_list_refuses_it(mark: dict[str, tuple[str, ...]]) -> None:
    assert code(PARTNER, {**PIOTR, **mark}) == "identity.groups_incomplete"
    assert code(CORP, {**ANA, **mark}) == "identity.groups_incomplete"
    assert code(PARTNER, {**PIOTR, **mark}, gone="groups") == "identity.groups_incomplete"


@pytest.mark.parametrize(
    "other",
    [
        {"_claim_names.picture": ("src1",)},
        {"hasgroups": ("false",)},
        {"_claim_sources.src1.endpoint": ("x",)},
    ],
)
def test_a_mark_that_speaks_of_something_else_does_not(other: dict[str, tuple[str, ...]]) -> None:
    assert read(PARTNER, {**PIOTR, **other}).groups == ("contractors",)


@pytest.mark.parametrize("claim", ["roles", APP_ROLE])
def test_app_roles_are_whole_though_the_groups_are_cut(claim: str) -> None:
    roles = replace(PARTNER, claims=replace(PARTNER.claims, groups=claim))
    said = {**PIOTR, claim: ("contractors",), "hasgroups": ("true",), "_claim_names.groups": ("src1",)}
    assert read(roles, said).groups == ("contractors",)
    assert code(roles, {**said, f"_claim_names.{claim}": ("src1",)}) == "identity.groups_incomplete"


# --- properties -----------------------------------------------------------------------------------


TEXT = st.text(max_size=12) | st.sampled_from(["sre", ENGINEERING, "engineering", "partner/x", "true"])
CLAIMS = st.dictionaries(
    st.sampled_from([*ANA, "hasgroups", "_claim_names.groups", "email_verified", "x"]),
    st.lists(TEXT, max_size=4).map(tuple),
)


@runs(deadline=None)
@given(CLAIMS, st.booleans(), st.booleans())
def test_any_claims_give_a_person_or_a_refusal(
    changes: dict[str, tuple[str, ...]], keep: bool, complete: bool
) -> None:
    provider = keeping(CORP) if keep else CORP
    try:
        found = identity(provider, {**ANA, **changes}, Authentication(NOW), groups_complete=complete)
    except (IdentityIncomplete, GroupsIncomplete):
        return
    assert complete
    assert found.subject and found.username
    assert list(found.groups) == sorted(set(found.groups))
    assert all(
        group in ("sre", "engineering") or (keep and group.startswith("corp/")) for group in found.groups
    )
