"""An identity provider that was not written here: pysaml2's own, which signs with the xmlsec1 program.

    python -m tests.journeys.idp_pysaml2 --port 8001 --state DIR --broker http://localhost:8000/saml/corp/metadata

pysaml2 reads and checks our request, chooses where the answer goes from our metadata, builds and signs the
answer, and writes the page that posts it. Ours are only the people, the form and the HTTP around it. As many
directories do, it names attributes by their OIDs.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Final

from flask import Flask, Response, abort, request
from markupsafe import Markup, escape
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORD
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAME_FORMAT_URI, NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.journeys.foreign import PASSWORD_OF_ALL
from tests.signin.saml.builders import rsa_key


@dataclass(frozen=True)
class Member:
    """Somebody in this directory."""

    subject: str
    name: str
    groups: tuple[str, ...]


PEOPLE: Final = {
    "ana": Member("pysaml2-4f1c", "Ana Alves", ("cn=engineering,o=acme", "cn=on-call,o=acme")),
    "ben": Member("pysaml2-2b77", "Ben Bauer", ("cn=engineering,o=acme",)),
    "dan": Member("pysaml2-77d0", "Dan Dorsey", ("cn=facilities,o=acme",)),
}

_FORM: Final = Markup(
    '<!doctype html><html lang="en"><title>Directory</title><h1>Sign in to the directory</h1>'
    '{words}<form method="post"><label>Username <input name="username"></label> '
    '<label>Password <input name="password" type="password"></label> <button>Sign in</button></form>'
)


class Directory:
    """pysaml2's server; our metadata is fetched at the first sign-in, as by an administrator who pastes the address."""

    def __init__(self, own: str, state: Path, broker: str) -> None:
        self.own = own
        self._state = state
        self._broker = broker
        self._lock = Lock()
        key = rsa_key("idp")
        (state / "key.pem").write_bytes(key.private)
        (state / "certificate.pem").write_bytes(key.certificate)

    def _config(self, **more: object) -> IdPConfig:
        return IdPConfig().load(
            {
                "entityid": f"{self.own}/metadata",
                "key_file": str(self._state / "key.pem"),
                "cert_file": str(self._state / "certificate.pem"),
                "xmlsec_binary": shutil.which("xmlsec1"),
                "service": {
                    "idp": {
                        "want_authn_requests_signed": True,
                        "endpoints": {"single_sign_on_service": [(f"{self.own}/sso", BINDING_HTTP_REDIRECT)]},
                        "policy": {"default": {"lifetime": {"minutes": 5}, "name_form": NAME_FORMAT_URI}},
                    }
                },
                **more,
            }
        )

    def metadata(self) -> str:
        return str(entity_descriptor(self._config()))

    @cached_property
    def _server(self) -> Server:
        return Server(config=self._config(metadata={"remote": [{"url": self._broker}]}))

    def check(self) -> object:
        """The request in this address, its signature checked. Raises pysaml2's own errors."""
        asked = request.args
        with self._lock:
            return self._server.parse_authn_request(
                asked["SAMLRequest"],
                BINDING_HTTP_REDIRECT,
                relay_state=asked["RelayState"],
                sigalg=asked["SigAlg"],
                signature=asked["Signature"],
            ).message

    def answer(self, message: object, username: str) -> str:
        """The page that posts the signed answer."""
        person = PEOPLE[username]
        with self._lock:
            where = self._server.response_args(message)
            response = self._server.create_authn_response(
                {
                    "uid": [username],
                    "mail": [f"{username}@acme.test"],
                    "displayName": [person.name],
                    "isMemberOf": list(person.groups),
                },
                in_response_to=where["in_response_to"],
                destination=where["destination"],
                sp_entity_id=where["sp_entity_id"],
                name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text=person.subject),
                authn={"class_ref": PASSWORD, "authn_auth": self.own},
                sign_assertion=True,
                sign_response=True,
                sign_alg=SIG_RSA_SHA256,
                digest_alg=DIGEST_SHA256,
            )
            return self._server.apply_binding(
                BINDING_HTTP_POST,
                str(response),
                where["destination"],
                request.args["RelayState"],
                response=True,
            )["data"]


def site(directory: Directory) -> Flask:
    """`/metadata`, `/sso`."""
    app = Flask("idp_pysaml2")

    @app.get("/metadata")
    def metadata() -> Response:
        return Response(directory.metadata(), content_type="application/samlmetadata+xml")

    @app.route("/sso", methods=["GET", "POST"])
    def sso() -> str:
        try:
            message = directory.check()
        except Exception as error:
            abort(400, str(escape(f"This request is not believed: {error!r}")))
        if request.method == "GET":
            return _FORM.format(words="")
        username = request.form["username"]
        if username not in PEOPLE or request.form["password"] != PASSWORD_OF_ALL:
            return _FORM.format(words="That is not right.")
        return directory.answer(message, username)

    return app


class Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--broker", required=True, help="address of the broker's SAML metadata")
    given = parser.parse_args()
    given.state.mkdir(exist_ok=True)
    directory = Directory(f"http://127.0.0.1:{given.port}", given.state, given.broker)
    make_server(
        "127.0.0.1", given.port, site(directory), threaded=True, request_handler=Quiet
    ).serve_forever()


if __name__ == "__main__":
    main()
