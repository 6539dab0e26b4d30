"""The listener of Chirp, a social network: `/authorize`, `/token`, `/me`, `/debug_token`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from authlib.oauth2 import OAuth2Error
from flask import Flask, Response, jsonify, request

from demo.directory.desk import Desk
from demo.directory.grants import Granted, Grants
from demo.directory.site import PAGE_PATHS, Setting, make_site, refusal_page
from demo.directory.social_server import App, debugged, make_server, profile


def social_site(setting: Setting, apps: Sequence[App]) -> Flask:
    """The Flask app of the social network."""
    desk = Desk(setting.people, setting.clock)
    app = make_site(setting, desk)
    grants = Grants()
    server = make_server(app, apps, grants, setting.clock)
    by_id = {known.app_id: known for known in apps}

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        sitting = desk.sitting()
        try:
            grant = server.get_consent_grant(end_user=sitting)
        except OAuth2Error as error:
            if not error.redirect_uri:
                return refusal_page(error.description or error.error)
            return server.handle_error_response(None, error)
        except ValueError:  # authlib, of characters that its own error description may not hold
            return refusal_page("The sign-in request holds characters that it may not.")
        if request.method == "POST":
            return desk.take(hashlib.sha256(request.query_string).hexdigest())
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

    @app.get("/me")
    def me() -> Any:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        kept = grants.token(value, setting.clock.now()) if kind.lower() == "bearer" else None
        if kept is None:
            return jsonify(error={"type": "OAuthException", "code": 190, "message": "No such token."}), 401
        return jsonify(profile(kept.granted.person, kept.scope))

    @app.get("/debug_token")
    def debug_token() -> Any:
        asker, asked = (request.args.get(name, "") for name in ("access_token", "input_token"))
        answer, status = debugged(grants, by_id, setting.clock, asker, asked)
        return jsonify(answer), status

    @app.after_request
    def across_origins(response: Response) -> Response:
        return _across_origins(response, setting)

    return app


def _across_origins(response: Response, setting: Setting) -> Response:
    """Let the pages of registered apps call what is for them, without cookies (Fetch Standard, "CORS protocol")."""
    origin = request.headers.get("Origin", "")
    if request.path in PAGE_PATHS:
        response.headers.add("Vary", "Origin")
        if origin in setting.page_origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
    return response
