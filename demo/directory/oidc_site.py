"""The OpenID listener: discovery, `/authorize`, `/token`, `/userinfo`, `/jwks`."""

from __future__ import annotations

import hashlib
from typing import Any

from authlib.oauth2 import OAuth2Error
from flask import Flask, jsonify, request

from demo.directory.desk import Desk, Sitting
from demo.directory.grants import Granted, Grants
from demo.directory.oidc_server import Client, Issuer, issuer_parameter, make_server
from demo.directory.site import Setting, make_site, refusal_page


def oidc_site(setting: Setting, issuer: Issuer, client: Client) -> Flask:
    """The Flask app of the OpenID provider."""
    desk = Desk(setting.people, setting.clock)
    app = make_site(setting, desk)
    server = make_server(app, issuer, client, Grants(), setting.clock)
    names = issuer_parameter(issuer)

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Any:
        return jsonify(issuer.discovery)

    @app.get("/jwks")
    def jwks() -> Any:
        return jsonify(issuer.jwks)

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        asked_by = hashlib.sha256(request.query_string).hexdigest()
        sitting = desk.sitting()
        if sitting and not _recent_enough(sitting, asked_by, setting):
            sitting = None
        try:
            grant = server.get_consent_grant(end_user=sitting)
        except OAuth2Error as error:
            if not error.redirect_uri:
                return refusal_page(error.description or error.error)
            response = server.handle_error_response(None, error)
            names.add_issuer_parameter(server, response)
            return response
        except ValueError:  # authlib, of characters that its own error description may not hold
            return refusal_page("The sign-in request holds characters that it may not.")
        if request.method == "POST":
            return desk.take(asked_by)
        if sitting is None:
            return desk.form()
        granted = Granted(sitting.person, sitting.at, sitting.two_factors)
        return server.create_authorization_response(grant_user=granted, grant=grant)

    @app.post("/token")
    def token() -> Any:
        try:
            return server.create_token_response()
        except ValueError:  # authlib, of an Authorization header that is none
            return jsonify(error="invalid_request"), 400

    @app.route("/userinfo", methods=["GET", "POST"])
    def userinfo() -> Any:
        return server.create_endpoint_response("userinfo")

    return app


def _recent_enough(sitting: Sitting, asked_by: str, setting: Setting) -> bool:
    """Whether a session answers the request's `prompt` and `max_age` (OpenID Connect Core 1.0 section 3.1.2.1)."""
    if sitting.asked_by == asked_by:
        return True
    if {"login", "select_account"} & set(request.args.get("prompt", "").split()):
        return False
    most = request.args.get("max_age", type=int)
    return most is None or (setting.clock.now() - sitting.at).total_seconds() <= most
