"""The SAML listener: `/metadata`, `/sso`."""

from __future__ import annotations

import base64
from typing import Any

from flask import Flask, Response, render_template, request

from demo.directory import saml
from demo.directory.desk import Desk, Sitting
from demo.directory.people import Person
from demo.directory.saml_peer import Broker, ServiceProvider
from demo.directory.site import Setting, make_site, refusal_page


def saml_site(setting: Setting, broker: Broker, signer: saml.Signer) -> Flask:
    """The Flask app of the SAML identity provider."""
    desk = Desk(setting.people, setting.clock)
    app = make_site(setting, desk)
    sso = f"{setting.origin}/sso"

    @app.get("/metadata")
    def metadata() -> Response:
        return Response(saml.metadata(signer, sso), content_type="application/samlmetadata+xml")

    @app.route("/sso", methods=["GET", "POST"])
    def sign_on() -> Any:
        now = setting.clock.now()
        try:
            message = saml.read_redirect(request.query_string.decode("latin-1"))
            ask = saml.read_request(message.document, destination=sso, now=now)
            peer = broker.believe(ask, message, now)
        except saml.RequestRefused as refused:
            return refusal_page(str(refused))
        if request.method == "POST":
            return desk.take(ask.id)
        sitting = desk.sitting()
        fresh = sitting is not None and sitting.asked_by == ask.id
        if ask.force and not fresh:
            sitting = None
        context = saml.choose_context(ask, two_factors=sitting.two_factors) if sitting else None
        if sitting and context is None and not fresh and sitting.person.mfa:
            sitting = None  # a sign-in with both factors would do
        if sitting and context:
            document = saml.answer(ask, peer.acs, _statement(sitting, context), signer, now)
        elif sitting:
            words = "This person cannot sign in the way that was asked for."
            document = saml.refuse(ask, peer.acs, saml.NO_AUTHN_CONTEXT, words, signer, now)
        elif ask.passive:
            words = "Nobody is signed in."
            document = saml.refuse(ask, peer.acs, saml.NO_PASSIVE, words, signer, now)
        else:
            return desk.form()
        return _send(peer, document, message.relay_state)

    return app


def _statement(sitting: Sitting, context: str) -> saml.Statement:
    return saml.Statement(
        subject=sitting.person.subject,
        attributes=attributes(sitting.person),
        authenticated_at=sitting.at,
        context=context,
        session=sitting.index,
    )


def attributes(person: Person) -> dict[str, tuple[str, ...]]:
    """What the directory says of a person, under its own attribute names."""
    said = {
        "uid": (person.username,),
        "mail": (person.email,),
        "displayName": (person.name,),
        "memberOf": person.groups,
        "costCenter": (person.cost_center,) if person.cost_center else (),
    }
    return {name: values for name, values in said.items() if values}


def _send(peer: ServiceProvider, document: bytes, relay_state: str | None) -> str:
    fields = {"SAMLResponse": base64.b64encode(document).decode("ascii")}
    if relay_state is not None:
        fields["RelayState"] = relay_state
    return render_template("post.html", action=peer.acs, fields=fields)
