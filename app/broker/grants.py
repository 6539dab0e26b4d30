"""A person lets a client in, in a browser: authorization code (RFC 6749, 4.1) with PKCE (RFC 7636), by RFC 9700."""

from __future__ import annotations

import secrets

from app.broker import terms
from app.broker.clients import Clients
from app.broker.finishing import hash_of
from app.broker.liveness import client_ends_at
from app.errors import AccessRefused, ClientNotAllowed, GrantError, RedirectRefused, RootOnlyEmergency
from app.model import AuditKind, Caller, Consent, Grant, GrantAsk, Session
from app.people import ROOT
from app.tokens import CODE_LIFE, CodeGrant, pkce, redirects


class Grants(Clients):
    """The page that asks whether a client may come in."""

    def consent(self, session: Session, ask: GrantAsk, *, caller: Caller) -> Consent:
        """Check an authorization request, for the person to see. Nothing is remembered of it.

        Raises:
            RedirectRefused: nothing may be sent to that address; a page for the person. Any other GrantError may
                go back to the client.
        """
        running = self._active.current()
        client = running.revision.clients.get(ask.client)
        if client is None:
            raise RedirectRefused(f"no client {ask.client[:64]!r}")
        if not redirects.matches(client.redirect_uris, ask.redirect_uri):
            raise RedirectRefused(f"client {client.id} has no redirect address {ask.redirect_uri[:200]!r}")
        if "authorization_code" not in client.grants:
            raise ClientNotAllowed(f"client {client.id} may not use authorization codes")
        if problem := pkce.problem(ask.challenge, ask.challenge_method):
            raise GrantError(f"client {client.id}: {problem}", words=problem)
        settings = running.revision.settings
        terms.resource(ask.resource, settings)
        scope = terms.scope(ask.scope, client)
        of_a_person(session)
        return Consent(
            client=client,
            redirect_uri=ask.redirect_uri,
            scope=scope,
            device=terms.device_name(ask.device),
            ends_at=client_ends_at(session, client, settings, self._clock.now()),
        )

    def authorize(self, session: Session, ask: GrantAsk, *, caller: Caller) -> Grant:
        """The person said yes: a code. It is on record before it is good for anything.

        Raises:
            as `consent`, and AuditUnavailable, StoreUnavailable.
        """
        consent = self.consent(session, ask, caller=caller)
        now = self._clock.now()
        grant = CodeGrant(
            client=consent.client.id,
            redirect_uri=ask.redirect_uri,
            challenge=ask.challenge,
            scope=consent.scope,
            resource=terms.resource(ask.resource, self._active.current().revision.settings),
            device=consent.device,
            approved_by=session.id,
            expires_at=now + CODE_LIFE,
            stage=stage(session),
        )
        detail = {
            "grant": "authorization_code",
            "client": grant.client,
            "device": grant.device,
            "scope": list(grant.scope),
        }
        self._record(AuditKind.GRANT_APPROVED, session, caller, now, detail)
        code = secrets.token_urlsafe(32)
        self._store.codes.add(code, grant)
        return Grant(code=code, redirect_uri=ask.redirect_uri)


def stage(session: Session) -> str:
    """What is new in a session with each proof and each new password, as a digest (`CodeGrant.stage`)."""
    return hash_of(session.csrf)


def of_a_person(session: Session) -> None:
    """Whether this session may let a client in. Raises AccessRefused, RootOnlyEmergency."""
    # A client cannot let another in: what it was given would outlive it, and grow.
    if session.client is not None:
        raise AccessRefused(f"a session of client {session.client} lets nobody in")
    if session.identity.source == ROOT:
        raise RootOnlyEmergency("root lets no client in", words="Root lets no helper or app in.")
