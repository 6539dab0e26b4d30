"""Which condition keys are offered: those that the company's sources and sign-ins really bring."""

from __future__ import annotations

from dataclasses import replace

from app.model import (
    Authentication,
    ClaimMap,
    GroupMap,
    Identity,
    MfaTrust,
    OAuth2Provider,
    OidcProvider,
    SamlProvider,
    SourceId,
)
from app.policy import PersonContexts
from app.policy.offered import Offered, offered
from tests.policy.builders import CALLER, NOW, principal, role

CORP = SamlProvider(
    SourceId("corp"),
    "Staff",
    ClaimMap(subject="NameID", username="uid", groups="memberOf"),
    GroupMap({}),
    metadata_url="https://idp.acme.test",
    session_tags={"CostCenter": "costCenter"},
)
PARTNER = OidcProvider(
    SourceId("partner"),
    "Partners",
    "https://login.partner.test/x/",
    "daypass",
    None,
    ClaimMap(subject="sub", username="preferred_username"),
    GroupMap({}),
)


def person(source: str, claims: dict[str, tuple[str, ...]], **how: object) -> Identity:
    return Identity(SourceId(source), "s", "ana", claims, Authentication(NOW, **how))  # type: ignore[arg-type]


def keys(*people: Identity, providers: object = (CORP, PARTNER), roles: object = ()) -> dict[str, Offered]:
    found = offered({each.id: each for each in providers}, roles, people)  # type: ignore[attr-defined,arg-type]
    assert len({each.name.lower() for each in found}) == len(found)
    return {each.name: each for each in found}


def test_before_any_sign_in_the_files_say_what_comes() -> None:
    found = keys()
    assert found["daypass:Claim/memberOf"].sources == ("corp",)
    assert found["daypass:Claim/costCenter"].sources == ("corp",)
    assert found["aws:PrincipalTag/CostCenter"].sources == ("corp",)
    assert found["daypass:Claim/preferred_username"].sources == ("partner",)
    assert {
        "aws:SourceIp",
        "daypass:Groups",
        "daypass:RoleLevel",
        "aws:RequestTag/CostCenter",
    } <= found.keys()
    for absent in ("daypass:Acr", "saml:mail", "sts:ExternalId", "aws:MultiFactorAuthAge"):
        assert absent not in found


def test_what_sign_ins_brought_is_offered_with_values_and_whether_there_were_several() -> None:
    found = keys(
        person("corp", {"memberOf": ("a", "b"), "urn:oid:0.9.2342.19200300.100.1.3": ("a@acme.test",)}),
        person("corp", {"memberOf": ("c",), "team": ("web",), "NameID": ("n",)}, context="urn:acr", methods=("pwd",)),
    )  # fmt: skip
    assert found["daypass:Claim/memberOf"].several and found["daypass:Claim/memberOf"].seen == ("a", "b", "c")
    assert not found["daypass:Claim/team"].several and found["daypass:Claim/team"].seen == ("web",)
    assert found["saml:mail"].seen == ("a@acme.test",) and found["saml:mail"].several
    assert found["saml:sub"].seen == ("n",)
    assert found["daypass:Acr"].seen == ("urn:acr",) and found["daypass:Amr"].several


def test_an_openid_sources_own_keys_have_its_issuer_in_front() -> None:
    found = keys(person("partner", {"sub": ("p-1",), "aud": ("daypass",)}))
    assert found["login.partner.test/x:aud"].seen == ("daypass",)
    assert "login.partner.test/x:azp" not in found


def test_a_plain_oauth_source_has_no_keys_of_its_own() -> None:
    social = OAuth2Provider(
        SourceId("social"), "Chirp", "https://a", "https://t", "https://u", "app", None,
        ClaimMap(subject="id", username="handle"), GroupMap({}),
    )  # fmt: skip
    found = keys(person("social", {"id": ("1",), "NameID": ("n",), "mail": ("m",)}), providers=(social,))
    assert found["daypass:Claim/id"].seen == ("1",)
    assert not [name for name in found if name.startswith("saml:")]
    assert "aws:MultiFactorAuthAge" not in found


def test_the_second_factors_age_is_offered_where_a_source_is_believed_about_factors() -> None:
    trusting = SamlProvider(
        CORP.id, "S", CORP.claims, CORP.groups, metadata_url="x", mfa=MfaTrust(frozenset({"c"}))
    )
    assert "aws:MultiFactorAuthAge" in keys(providers=(trusting,))


def test_tags_and_external_ids_of_roles_are_offered() -> None:
    found = keys(roles=(role("A", tags={"team": "web"}, external_id="x"),))
    assert {"aws:ResourceTag/team", "aws:RequestTag/team", "aws:TagKeys", "sts:ExternalId"} <= found.keys()


def test_somebody_of_a_source_that_is_gone_adds_nothing() -> None:
    assert keys(person("gone", {"x": ("y",)})) == keys()


def test_what_is_offered_about_a_person_is_in_their_context() -> None:
    claims = {"memberOf": ("a",), "mail": ("m",), "NameID": ("n",), "costCenter": ("7",)}
    who = person("corp", claims, methods=("pwd",), context="c", mfa_at=NOW)
    found = keys(who, roles=(role("A", tags={"team": "web"}, external_id="e"),))
    them = principal("sre", claims=claims, tags={"CostCenter": "7"}, mfa_at=NOW)
    them = type(them)(who, them.groups, (), None, them.tags, 7)
    context = PersonContexts(them, replace(CALLER, client="cli", device="laptop"), NOW, provider=CORP)(
        role("A", tags={"team": "web"}, external_id="e")
    )
    missing = {name for name, each in found.items() if "partner" not in each.sources and name not in context}
    assert missing == {"daypass:Claim/uid", "sts:SourceIdentity"}  # not sent; known once the request is built


def test_the_identity_is_offered_where_an_app_has_a_pool() -> None:
    assert "daypass:identity-id" not in {each.name for each in offered({}, (), ())}
    assert "daypass:identity-id" in {each.name for each in offered({}, (), (), pooled=True)}


def test_clients_are_offered_by_name_and_devices_without() -> None:
    found = {each.name: each for each in offered({}, (), (), ("deploy-bot", "cli"))}
    assert found["daypass:Client"].seen == ("cli", "deploy-bot")
    assert found["daypass:Device"].seen == ()
