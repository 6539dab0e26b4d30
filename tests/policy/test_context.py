"""The context says what is so, and no claim can pose as another key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import (
    Authentication,
    Caller,
    ClaimMap,
    CredentialRequest,
    Group,
    GroupMap,
    Identity,
    OidcProvider,
    Principal,
    SamlProvider,
    SourceId,
)
from app.policy import KEYS, Index, PersonContexts, context
from app.policy.condition_keys import find
from app.policy.context import of_role
from app.policy.request import AMBIGUOUS, RequestContext
from app.policy.text import fold
from tests.policy.builders import CALLER, NOW, arn, principal, revision, role, statement, text

SAML = SamlProvider(
    SourceId("corp"), "Acme", ClaimMap("NameID", "uid"), GroupMap({}), metadata_url="http://127.0.0.1"
)
OIDC = OidcProvider(
    SourceId("partner"), "P", "https://idp.example/realms/x", "c", None, ClaimMap("sub", "sub"), GroupMap({})
)


def test_the_context_of_a_request() -> None:
    identity = Identity(
        SourceId("corp"),
        "s-1",
        "ana",
        {"dept": ("42",), "memberOf": ("a", "b"), "none": ()},
        Authentication(NOW - timedelta(minutes=9), ("pwd", "hwk"), "gold", NOW - timedelta(minutes=5), True),
    )
    who = Principal(identity, frozenset({"sre"}), (), None, {"CostCenter": "42"}, 7)
    what = role("Admin", level="power", tags={"team": "web"}, external_id="x-1")
    assert dict(context(who, what, CALLER, NOW)) == {
        "aws:currenttime": "2026-11-24T12:00:00Z",
        "aws:epochtime": "1795521600",
        "aws:multifactorauthpresent": "true",
        "aws:multifactorauthage": "300",
        "aws:securetransport": "true",
        "aws:sourceip": "203.0.113.7",
        "aws:useragent": "test/1",
        "aws:userid": "corp:s-1",
        "aws:username": "ana",
        "aws:principaltag/costcenter": "42",
        "aws:requesttag/costcenter": "42",
        "aws:requesttag/team": "web",
        "aws:resourcetag/team": "web",
        "aws:tagkeys": ("CostCenter", "team"),
        "daypass:acr": "gold",
        "daypass:amr": ("pwd", "hwk"),
        "daypass:authenticationage": "540",
        "daypass:claim/dept": "42",
        "daypass:claim/memberof": ("a", "b"),
        "daypass:groups": ("sre",),
        "daypass:phishingresistant": "true",
        "daypass:rolelevel": "power",
        "daypass:source": "corp",
        "sts:externalid": "x-1",
    }


def test_what_goes_to_sts_is_known_once_there_is_a_request() -> None:
    what = role("Admin")
    request = CredentialRequest(what, timedelta(hours=1), "ana-x", "corp-x", {"team": "ops"})
    found = context(principal(tags={"other": "1"}), what, CALLER, NOW, request)
    assert found["sts:RoleSessionName"] == "ana-x"
    assert found["sts:SourceIdentity"] == "corp-x"
    assert found["aws:TagKeys"] == ("team",)
    assert found["aws:RequestTag/team"] == "ops"
    assert "aws:RequestTag/other" not in found


def test_who_has_no_second_factor_has_no_age_of_one() -> None:
    found = context(principal(), role("A"), CALLER, NOW)
    assert found["aws:MultiFactorAuthPresent"] == "false"
    assert "aws:MultiFactorAuthAge" not in found


def test_a_clock_that_runs_ahead_makes_no_negative_age() -> None:
    found = context(principal(mfa_at=NOW + timedelta(seconds=30)), role("A"), CALLER, NOW)
    assert found["aws:MultiFactorAuthAge"] == "0"


def test_saml_keys_come_from_a_saml_source_only() -> None:
    claims = {"NameID": ("n-1",), "uid": ("ana",), "urn:oid:0.9.2342.19200300.100.1.3": ("a@x", "b@x")}
    found = context(principal(claims=claims), role("A"), CALLER, NOW, provider=SAML)
    assert found["saml:sub"] == "n-1"
    assert found["saml:uid"] == ("ana",)
    assert found["saml:mail"] == ("a@x", "b@x")
    for provider in (None, OIDC):
        other = context(principal(claims=claims), role("A"), CALLER, NOW, provider=provider)
        assert not [key for key in other if key.startswith("saml:")]


def test_issuer_keys_come_from_the_configured_issuer() -> None:
    claims = {"sub": ("s",), "aud": ("daypass",), "amr": ("mfa",), "iss": ("https://accounts.google.com",)}
    found = context(principal(claims=claims, source="partner"), role("A"), CALLER, NOW, provider=OIDC)
    assert found["idp.example/realms/x:sub"] == "s"
    assert found["idp.example/realms/x:amr"] == ("mfa",)
    for provider in (None, SAML, OIDC):
        other = context(principal(claims=claims), role("A"), CALLER, NOW, provider=provider)
        assert not [key for key in other if key.startswith("accounts.google.com")]


# --- hostile claims -------------------------------------------------------------------------------

HOSTILE = [
    "aws:PrincipalTag/team",
    "aws:principaltag/team",
    "aws:username",
    "daypass:Source",
    "daypass:Claim/dept",
    "../aws:username",
    "*",
    "?",
    "${aws:userid}",
    "aws:MultiFactorAuthPresent",
    "saml:sub",
    "idp.example/realms/x:sub",
    "NameID",
    "",
    "\x00",
    "\u212aey",
    "8443:sub",
    "sts:ExternalId",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("provider", [None, SAML, OIDC], ids=["none", "saml", "oidc"])
def test_a_claims_name_makes_no_other_key(name: str, provider: object) -> None:
    known = "NameID" if provider is SAML else None
    honest = context(principal(tags={"team": "web"}), role("A"), CALLER, NOW, provider=provider)  # type: ignore[arg-type]
    hostile = context(
        principal(tags={"team": "web"}, claims={name: ("evil",)}),
        role("A"),
        CALLER,
        NOW,
        provider=provider,  # type: ignore[arg-type]
    )
    added = {key: value for key, value in hostile.items() if honest.get(key) != value}
    expected = {fold(f"daypass:Claim/{name}"): "evil"}
    if name == known:
        expected["saml:sub"] = "evil"
    assert added == expected


@given(st.dictionaries(st.text(max_size=12) | st.sampled_from(HOSTILE), st.just(("evil",)), max_size=6))
def test_no_set_of_claims_makes_another_key(claims: dict[str, tuple[str, ...]]) -> None:
    honest = context(principal(), role("A"), CALLER, NOW)
    hostile = context(principal(claims=claims), role("A"), CALLER, NOW)
    for key, value in hostile.items():
        if honest.get(key) != value:
            assert key.startswith("daypass:claim/")
    assert all(hostile[key] == value for key, value in honest.items())


def test_two_claims_in_different_case_are_neither_believed() -> None:
    allow = text(statement(Condition={"StringEquals": {"daypass:Claim/dept": "hr"}}), name="allow")
    negated = text(statement(Condition={"StringNotEquals": {"daypass:Claim/dept": "x"}}), name="negated")
    deny = text(
        statement(), statement("Deny", Condition={"StringEquals": {"daypass:Claim/dept": "x"}}), name="deny"
    )
    what = role("A")
    index = Index.compile(
        revision(
            what,
            groups=[Group(n, policies=(n,)) for n in ("allow", "negated", "deny")],
            policies=[allow, negated, deny],
        )
    )
    twice = {"dept": ("hr",), "DEPT": ("hr",)}
    for name, once in (("allow", True), ("negated", True), ("deny", True)):
        honest = principal(name, claims={"dept": ("hr",)})
        assert index.decide(honest, what, context(honest, what, CALLER, NOW)).allowed is once
        hostile = principal(name, claims=twice)
        assert not index.decide(hostile, what, context(hostile, what, CALLER, NOW)).allowed


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("value", ["*", "${aws:userid}", "web", "true", "Admin", "arn:aws:iam::*:role/*"])
def test_hostile_claims_and_names_never_gain_a_role(name: str, value: str) -> None:
    rules = [
        statement(Resource=arn("${aws:username}")),
        statement(Resource=arn("${daypass:Claim/role}")),
        statement(Condition={"StringLike": {"aws:PrincipalTag/team": "w*"}}),
        statement(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        statement(Condition={"StringEquals": {"daypass:Source": "${daypass:Claim/x}"}}),
        statement(Condition={"StringEquals": {"saml:sub": value}}),
    ]
    what = [role("Admin"), role("Other")]
    index = Index.compile(
        revision(*what, groups=[Group("g", policies=("p",))], policies=[text(*rules, name="p")])
    )
    who = principal("g", username="*", claims={name: (value,), "role": ("*",), "x": ("co*",)}, source="corp")
    assert index.assumable(who, index.contexts(who, CALLER, NOW)) == []


# --- the table ------------------------------------------------------------------------------------


def test_every_key_that_is_supplied_is_in_the_table() -> None:
    what = role("A", tags={"t": "1"}, external_id="x")
    request = CredentialRequest(what, timedelta(hours=1), "ana-x", "corp-x", {"team": "ops"})
    claims = {"NameID": ("n",), "uid": ("u",), "any:thing/else": ("1",)}
    who = principal("g", claims=claims, tags={"q": "1"}, mfa_at=NOW)
    for key in context(who, what, CALLER, NOW, request, provider=SAML):
        assert find(key) is not None, key


def test_what_the_table_calls_multivalued_comes_as_a_list() -> None:
    claims = {"uid": ("u",), "cn": ("c",)}
    found = context(principal("g", claims=claims), role("A", tags={"t": "1"}), CALLER, NOW, provider=SAML)
    for key, value in found.items():
        row = find(key)
        assert row is not None
        assert isinstance(value, tuple) is row.multivalued, key


def test_the_table_repeats_no_name_and_explains_each() -> None:
    folded = [fold(row.name) for row in KEYS]
    assert len(set(folded)) == len(folded)
    assert all(row.meaning for row in KEYS)


def test_what_depends_on_the_role_is_told_apart() -> None:
    who = principal("g", claims={"sts:ExternalId": ("1",)}, tags={"q": "1"}, mfa_at=NOW)
    contexts = PersonContexts(who, Caller("r", "203.0.113.7"), NOW)
    person, whole = set(contexts.person), set(contexts(role("A", tags={"t": "1"}, external_id="x")))
    assert not [key for key in person if of_role(key)]
    assert all(of_role(key) for key in whole - person)


def test_a_plain_mapping_with_a_key_in_two_cases_is_ambiguous() -> None:
    made = RequestContext.of({"aws:username": "a", "AWS:USERNAME": "b"})
    assert made.find("aws:username") is AMBIGUOUS


@pytest.mark.parametrize("issuer", ["https://saml", "https://STS/", "https://aws", "https://daypass"])
def test_an_issuer_named_as_one_of_our_prefixes_makes_no_keys(issuer: str) -> None:
    provider = OidcProvider(SourceId("x"), "X", issuer, "c", None, ClaimMap("sub", "sub"), GroupMap({}))
    found = context(principal(claims={"sub": ("s",)}), role("A"), CALLER, NOW, provider=provider)
    assert [key for key in found if key.endswith(":sub")] == []


def test_only_ascii_letters_have_no_case() -> None:
    # U+212A, the Kelvin sign, is `k` in lower case to Unicode; a claim of that name must stay another's.
    found = context(principal(claims={"key": ("1",), "\u212aey": ("2",)}), role("A"), CALLER, NOW)
    assert (found["daypass:Claim/KEY"], found["daypass:Claim/\u212aEY"]) == ("1", "2")


def test_the_identity_in_an_apps_pool_is_known_of_its_sessions_and_absent_elsewhere() -> None:
    browser = context(principal(), role("A"), CALLER, NOW)
    assert "daypass:identity-id" not in browser
    app = context(principal(), role("A"), replace(CALLER, client="app", identity_id="5f6c"), NOW)
    assert app["daypass:identity-id"] == app["DayPass:Identity-ID"] == "5f6c"
    # A claim of that name stays a claim.
    claims = principal(claims={"daypass:identity-id": ("evil",), "identity-id": ("evil",)})
    assert "daypass:identity-id" not in context(claims, role("A"), CALLER, NOW)


def test_client_and_device_are_known_of_a_helper_and_absent_in_a_browser() -> None:
    browser = context(principal(), role("A"), CALLER, NOW)
    assert "daypass:Client" not in browser and "daypass:Device" not in browser
    helper = context(principal(), role("A"), replace(CALLER, client="cli", device="ana's laptop"), NOW)
    assert (helper["daypass:Client"], helper["daypass:Device"]) == ("cli", "ana's laptop")
    nameless = context(principal(), role("A"), replace(CALLER, client="cli"), NOW)
    assert "daypass:Device" not in nameless
