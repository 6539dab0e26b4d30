"""SAML 2.0 sign-in: the Web Browser SSO Profile, started here, by redirect and POST.

One answer goes through four gates, each a module, and no gate sees what the one before refused:

    saml_shape      base64 → the one tree, of the one accepted shape; no cryptography yet
    saml_signature  the schema, then every signature against the configured certificates (python3-saml)
    saml_profile    who, for whom, for which request, when: exact, by the clock that is passed in
    claims          attributes → `Identity`, by the source's own tables

An assertion that an app presents at our token endpoint (RFC 7522) goes through the same gates, with other
expectations. Answers that nobody here asked for are refused, as are encrypted assertions: the message goes over TLS, and
our metadata offers no key to encrypt with.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from app.errors import IdentityIncomplete, Refusal, SignInNotOurs
from app.keyring import Keyring
from app.model import (
    SKEW,
    Authentication,
    Identity,
    Metadata,
    MfaTrust,
    Outbound,
    Pending,
    Proof,
    SamlProvider,
    SourceId,
    TokenKind,
)
from app.signin import saml_messages, saml_profile
from app.signin.claims import identity
from app.signin.presented import check_kind, mark, presented
from app.signin.saml_profile import NAME_ID, Expected, ExpectedGrant, Statement
from app.signin.saml_shape import shaped, shaped_assertion
from app.signin.saml_signature import schema, verified, verified_assertion
from app.signin.saml_trust import Fetches, MetadataChange, Trust
from app.signin.saml_xml import SAML
from app.signin.seam import KnownMetadata, OnceOnly, Proven, Started, SubjectToken

_TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_METHODS: Final = "http://schemas.microsoft.com/claims/authnmethodsreferences"
"""Entra ID and AD FS: how the person was authenticated, as an attribute."""
_FOREVER: Final = datetime.max.replace(tzinfo=UTC) - SKEW


class SamlSource:
    """A SAML directory: `seam.Source`. Safe to use from many threads at once."""

    def __init__(
        self,
        provider: SamlProvider,
        keyring: Keyring,
        base_url: str,
        fetch: Fetches,
        known: KnownMetadata,
    ) -> None:
        """`base_url`: scheme, host and port, no slash at the end; never taken from a request."""
        self._provider = provider
        self._keyring = keyring
        self._us = saml_messages.service_provider(base_url, provider.id)
        self._token_endpoint = f"{base_url}/oauth/token"
        self._trust = Trust(provider, fetch, known, loopback=base_url.startswith("http://"))

    @property
    def id(self) -> SourceId:
        """The source's name in the configuration."""
        return self._provider.id

    @property
    def label(self) -> str:
        """The source's name for people."""
        return self._provider.label

    def start(self, now: datetime) -> Started:
        """Ask the provider to sign a person in. Raises ProviderFailed if its metadata cannot be had."""
        idp = self._trust.current(now)
        request_id = f"_{secrets.token_hex(20)}"
        key = secrets.token_urlsafe(32)
        request = saml_messages.ask(self._us, idp.sso_url, request_id, now)
        signer = self._keyring if idp.wants_signed_requests else None
        url = saml_messages.redirect(idp.sso_url, request, key, signer)
        return Started(Outbound(url), key, {"request_id": request_id})

    def finish(self, pending: Pending, proof: Proof, now: datetime) -> Proven:
        """Believe the answer to `pending`, or refuse it.

        Raises SignInNotOurs (another request's answer, or nobody's), SignInDenied (the provider said no),
        a leaf of SamlRefused, IdentityIncomplete, GroupsIncomplete, ProviderFailed.
        """
        request_id = self._request_id(pending, proof, now)
        idp = self._trust.current(now)
        shape = shaped(proof.fields.get("SAMLResponse", ""))
        verified(shape, [certificate.pem for certificate in idp.certificates])
        expected = Expected(idp.entity_id, self._us.entity_id, self._us.acs, request_id)
        statement = saml_profile.read(shape, expected, now)
        self._lasting(statement)
        return Proven(self._identity(statement), (_once(idp.entity_id, statement),), statement.session_ends)

    @property
    def takes(self) -> frozenset[TokenKind]:
        """Assertions (RFC 7522)."""
        return frozenset({"saml2"})

    def issued(self, token: SubjectToken) -> bool:
        """Whether an assertion says that it is of this provider. Nothing is checked, nothing fetched."""
        idp = self._trust.held()
        if token.kind != "saml2" or idp is None:
            return False
        try:
            issuer = shaped_assertion(token.text).find(f"{{{SAML}}}Issuer")
        except Refusal:
            return False
        return issuer is not None and issuer.text == idp.entity_id

    def believe(self, token: SubjectToken, accepts: Sequence[str], now: datetime) -> Proven:
        """Believe an assertion that an app presents at our token endpoint, once.

        Raises as `seam.Exchangeable.believe`; a mark that exists refuses it as at a sign-in.
        """
        check_kind(token, self.takes)
        with presented():
            idp = self._trust.current(now)
            assertion = shaped_assertion(token.text)
            verified_assertion(assertion, [certificate.pem for certificate in idp.certificates])
            expected = ExpectedGrant(idp.entity_id, frozenset(accepts), self._token_endpoint)
            statement, audience = saml_profile.read_grant(assertion, expected, now)
            self._lasting(statement)
            return Proven(
                self._identity(statement),
                (_once(idp.entity_id, statement),),
                statement.session_ends,
                expires_at=statement.out_of_date,
                audience=audience,
                mark=mark(self.id, statement.assertion_id, statement.out_of_date, now),
            )

    def metadata(self) -> Metadata:
        """Our own metadata towards this source; does not ask the provider."""
        idp = self._trust.held()
        signs = idp is not None and idp.wants_signed_requests
        body = saml_messages.describe(self._us, self._keyring, signs_requests=signs)
        return Metadata("application/samlmetadata+xml", body)

    def warm(self) -> None:
        """Compile the schema and read the kept metadata; never raises, never fetches."""
        schema()
        self._trust.held()

    def compare(self) -> MetadataChange:
        """Fetch the provider's metadata and say what would change: for the operator. Changes nothing.

        Raises ProviderFailed, and RequestNotPossible if the metadata is a file.
        """
        return self._trust.compare()

    def activate(self, change: MetadataChange, now: datetime) -> None:
        """Let the compared metadata count from now on; in other processes within a minute."""
        self._trust.activate(change, now)

    def _request_id(self, pending: Pending, proof: Proof, now: datetime) -> str:
        """The request that `pending` is of; the broker has taken it for this browser already."""
        request_id = pending.secrets.get("request_id", "")
        ours = pending.source == proof.source == self._provider.id
        if not ours or not request_id or now >= pending.expires_at:
            raise SignInNotOurs("the pending sign-in is another source's or out of date")
        if proof.fields.get("RelayState") != pending.key:
            raise SignInNotOurs("the RelayState is another sign-in's")
        return request_id

    def _identity(self, statement: Statement) -> Identity:
        how = authentication(
            self._provider.mfa, statement.attributes, statement.context, statement.authenticated_at
        )
        # A cut list is marked by an attribute, which `identity` reads itself.
        return identity(self._provider, statement.attributes, how, groups_complete=True)

    def _lasting(self, statement: Statement) -> None:
        # A transient name is a new one each time (Core 8.3.8): the person would be a stranger each time.
        if self._provider.claims.subject == NAME_ID and statement.name_format == _TRANSIENT:
            raise IdentityIncomplete(
                "the NameID is transient; have a persistent one sent, or map an attribute"
            )


def authentication(
    trusted: MfaTrust, attributes: Mapping[str, tuple[str, ...]], context: str | None, at: datetime
) -> Authentication:
    """How and when the person was authenticated, and whether that counts as a second factor."""
    methods = attributes.get(_METHODS, ())
    second = context in trusted.contexts or not trusted.methods.isdisjoint(methods)
    return Authentication(at=at, methods=methods, context=context, mfa_at=at if second else None)


def _once(issuer: str, statement: Statement) -> OnceOnly:
    """An assertion's mark: issuer and ID in a form in which no two pairs look alike."""
    pair = json.dumps([issuer, statement.assertion_id]).encode()
    until = min(statement.out_of_date, _FOREVER) + SKEW
    return OnceOnly("saml", hashlib.sha256(pair).hexdigest(), until)
