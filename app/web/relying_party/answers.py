"""The answers of the other side, taken off the wire and handed to the broker."""

from __future__ import annotations

from app.errors import Malformed, SignInNotOurs
from app.model import Proof, SourceId
from app.web import cookies, forms, landing
from app.web.visit import Visit
from app.web.wire import Response

_RELAY_STATE = 80
"""Bytes (SAML 2.0 Bindings, 3.4.3); ours has 43."""
_OIDC = ("code", "state", "iss", "error", "error_description")
_OIDC_LONGEST = 8192


def acs(visit: Visit, source: str) -> Response:
    """`POST /saml/PROVIDER/acs`: a SAML response by the POST binding (SAML 2.0 Bindings, 3.5).

    Raises:
        ProofRefused and its kin, ProviderFailed, Malformed, MediaType, TooLarge.
    """
    fields = forms.form(visit.request, ("SAMLResponse", "RelayState"))
    if not fields.get("SAMLResponse"):
        raise Malformed("no SAMLResponse", words="There is no sign-in answer in this request.")
    if len(fields.get("RelayState", "")) > _RELAY_STATE:
        raise SignInNotOurs("RelayState is longer than 80 bytes")
    return _finish(visit, source, fields)


def callback(visit: Visit, source: str) -> Response:
    """`GET /oidc/PROVIDER/callback`: an authorization response (OpenID Connect Core, 3.1.2.5).

    Raises:
        ProofRefused and its kin, ProviderFailed, Malformed, TooLarge.
    """
    fields = forms.query(visit.request, _OIDC)
    if any(len(value) > _OIDC_LONGEST for value in fields.values()):
        raise Malformed("a parameter is too long")
    if not fields.get("state"):
        raise SignInNotOurs("no state")
    return _finish(visit, source, fields)


def _finish(visit: Visit, source: str, fields: dict[str, str]) -> Response:
    browser = cookies.browser_secret(visit.request, visit.settings)
    device = cookies.device_secret(visit.request, visit.settings)
    previous = cookies.session_token(visit.request, visit.settings) or None
    proof = Proof(source=SourceId(source), fields=fields, browser=browser)
    result = visit.broker.sign_in(proof, caller=visit.caller, previous=previous, device=device)
    return landing.arrive(visit, result, browser=browser, device=device)
