"""A whole sign-in through a provider that was not written here (oidc-provider-mock), by the host's clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import oidc_provider_mock
import pytest
import requests

from app.clock import SystemClock
from app.errors import Refusal
from app.model import Pending, Proof
from app.outbound import Fetcher
from app.signin.oidc import OidcSource
from app.signin.seam import Proven
from tests.signin.oidc.builders import BASE, settings

PIOTR = oidc_provider_mock.User(
    sub="piotr-1",
    claims={"preferred_username": "piotr", "name": "Piotr Nowak", "email": "p@x", "groups": ["contractors"]},
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread(user_claims=[PIOTR], require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


def sign_in(source: OidcSource, **form: str) -> Proven:
    now = SystemClock().now()
    started = source.start(now)
    person = requests.post(started.outbound.url, data=form, allow_redirects=False, timeout=5)
    location = person.headers["Location"]
    assert re.match(rf"{BASE}/oidc/partner/callback\?", location)
    pending = Pending(
        started.key, source.id, "", "/", 1, "192.0.2.1", now, now + timedelta(minutes=10), started.secrets
    )
    fields = dict(parse_qsl(urlsplit(location).query))
    return source.finish(pending, Proof(source.id, fields), SystemClock().now())


@pytest.mark.parametrize("userinfo", [False, True])
def test_a_foreign_provider_lets_its_user_in(issuer: str, userinfo: bool) -> None:
    ours = replace(settings(issuer), userinfo=userinfo)
    proven = sign_in(OidcSource(ours, BASE, Fetcher(True), SystemClock()), sub="piotr-1")
    assert (proven.identity.subject, proven.identity.username) == ("piotr-1", "piotr")
    assert proven.identity.groups == ("contractors",)
    assert proven.identity.name == "Piotr Nowak"


def test_a_foreign_providers_user_who_says_no_is_not_in(issuer: str) -> None:
    source = OidcSource(settings(issuer), BASE, Fetcher(True), SystemClock())
    with pytest.raises(Refusal) as caught:
        sign_in(source, action="deny")
    # This provider leaves the state out of its refusal, so nothing says whose it is (RFC 6749 4.1.2.1 wants it).
    assert caught.value.code == "signin.not_started_here"
