"""Token exchange with sources as they are: ID tokens of a provider over HTTP, SAML assertions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.errors import (
    ProviderFailed,
    Refusal,
    SubjectTokenAudience,
    SubjectTokenExpired,
    SubjectTokenRefused,
)
from app.model import SourceId, SubjectProof
from tests.exchanging import PHOTO, Apps, apps_in, refused
from tests.house import BASE
from tests.signin.oidc.builders import Provider, down, public, rsa, running
from tests.signin.saml.test_grant import encoded, signed


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apps]:
    with apps_in(tmp_path, monkeypatch) as made:
        yield made


# --- a real OpenID provider ---------------------------------------------------------------------------------


IDP = """\
type: oidc
label: Real
issuer: ISSUER
client_id: daypass
claims: {subject: sub, username: preferred_username, groups: groups}
groups: {contractors: contractors}
algorithms: [RS256]
"""


@pytest.fixture
def real(apps: Apps) -> Iterator[Provider]:
    with running() as provider:
        house = apps.house
        house.write("providers/idp.yaml", IDP.replace("ISSUER", provider.issuer))
        house.edit(PHOTO, "accepts: {social: [acme-app]}", "accepts: {idp: [web-app], social: [acme-app]}")
        house.apply()
        provider.clock.time = house.clock.at
        yield provider


def id_token(provider: Provider, **claims: object) -> SubjectProof:
    provider.claims = {"aud": "web-app", **claims}
    return SubjectProof("id_token", provider.id_token("n-1"))


def test_an_id_token_gives_the_same_person_as_a_sign_in_would_with_the_apps_group(
    apps: Apps, real: Provider
) -> None:
    subject = id_token(real)
    tokens = apps.tokens(apps.exchange(subject))
    session = apps.helper().bearer(tokens)
    assert (session.identity.source, session.identity.subject) == (SourceId("idp"), "248289761001")
    assert session.identity.groups == ("app/photo-app", "contractors")
    assert tokens.expires_in == timedelta(minutes=5)
    assert apps.exchange(replace(subject, nonce="n-1")).identity_id == tokens.identity_id
    with pytest.raises(SubjectTokenRefused):
        apps.exchange(replace(subject, nonce="n-2"))


AT = 1_795_521_600  # noon of the house's day
FORGED: dict[str, tuple[dict[str, object], type[Refusal]]] = {
    "another app's": ({"aud": "other-app"}, SubjectTokenAudience),
    "daypass's own": ({"aud": "daypass"}, SubjectTokenAudience),
    "expired": ({"exp": AT - 1}, SubjectTokenExpired),
    "from the future": ({"iat": AT + 600, "exp": AT + 900}, SubjectTokenExpired),
    "another issuer's": ({"iss": "https://evil.test"}, SubjectTokenRefused),
    "an access token": ({"scope": "openid"}, SubjectTokenRefused),
}


@pytest.mark.parametrize("name", FORGED)
def test_an_id_token_that_says_something_else_is_refused(apps: Apps, real: Provider, name: str) -> None:
    claims, expected = FORGED[name]
    assert real.clock.now().timestamp() - AT < 60
    refused(apps, expected, id_token(real, **claims))
    assert apps.exchange(id_token(real))


def algorithm_changed(provider: Provider) -> None:
    provider.header = {"alg": "RS512"}


def key_changed(provider: Provider) -> None:
    provider.signing_key = rsa("thief")


@pytest.mark.parametrize("change", [algorithm_changed, key_changed])
def test_an_id_token_signed_otherwise_is_refused(
    apps: Apps, real: Provider, change: Callable[[Provider], None]
) -> None:
    honest = id_token(real)
    change(real)
    refused(apps, SubjectTokenRefused, id_token(real))
    assert apps.exchange(honest)


def test_a_provider_that_is_down_leaves_the_others_peoples_alone(apps: Apps, real: Provider) -> None:
    subject = id_token(real)
    real.routes["/jwks"] = down
    refused(apps, ProviderFailed, subject)
    assert apps.exchange(apps.token())
    real.routes["/jwks"] = lambda handler: handler.json({"keys": [public(rsa(), kid="k1")]})


# --- a real SAML assertion ----------------------------------------------------------------------------------


def test_an_assertion_for_the_app_is_taken_once_and_one_for_another_audience_never(apps: Apps) -> None:
    house = apps.house
    house.edit(
        PHOTO, "accepts: {social: [acme-app]}", "accepts: {corp: ['urn:acme:app'], social: [acme-app]}"
    )
    house.apply()

    def assertion(audience: str, id: str) -> SubjectProof:
        edits = [("https://daypass.acme.test/oauth/token", f"{BASE}/oauth/token"), ("urn:acme:app", audience)]
        made = signed(house.idp, *edits, now=house.clock.at, assertion_id=id)
        return SubjectProof("saml2", encoded(made))

    honest = assertion("urn:acme:app", "_one")
    given = apps.exchange(honest)
    session = apps.helper().bearer(apps.tokens(given))
    assert session.identity.source == "corp" and "app/photo-app" in session.identity.groups
    refused(apps, SubjectTokenRefused, honest)
    refused(apps, SubjectTokenAudience, assertion("urn:other:app", "_two"))
    assert apps.exchange(assertion("urn:acme:app", "_three")).identity_id == given.identity_id
    for_us = house.begin().fields["SAMLResponse"]
    refused(apps, SubjectTokenRefused, SubjectProof("saml2", for_us))
