"""A stand-in for the broker (python3-saml and authlib as its two halves), and a browser without scripts."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import html
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from demo.directory.server import Directory, Plan

SECRET = "a partner's secret"
APP_SECRET = "the secret of Acme's app"
VERIFIER = "v" * 64


@cache
def key_pair(name: str) -> tuple[str, str]:
    """A private key and its certificate, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


class Site:
    """The broker as the directory sees it: its metadata, on loopback."""

    def __init__(self) -> None:
        self.signing_key = "broker"
        self.metadata_key = "broker"
        self.fetched = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.fetched += 1
                settings = OneLogin_Saml2_Settings(site.settings(site.metadata_key), sp_validation_only=True)
                body = settings.get_sp_metadata()
                self.send_response(200 if self.path == "/saml/corp/metadata" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def settings(self, key: str, idp: dict | None = None, **security: object) -> dict:
        private, certificate = key_pair(key)
        return {
            "strict": True,
            "sp": {
                "entityId": f"{self.url}/saml/corp/metadata",
                "assertionConsumerService": {
                    "url": f"{self.url}/saml/corp/acs",
                    "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
                },
                "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
                "x509cert": certificate,
                "privateKey": private,
            },
            "security": {
                "authnRequestsSigned": True,
                "wantAssertionsSigned": True,
                "wantMessagesSigned": True,
                "requestedAuthnContext": False,
                "rejectDeprecatedAlgorithm": True,
                **security,
            },
            **({"idp": idp} if idp else {}),
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class World:
    """The directory and the site that sends people to it."""

    directory: Directory
    site: Site

    def saml(self, **security: object) -> OneLogin_Saml2_Auth:
        """The site's SAML half, for one sign-in."""
        described = requests.get(f"{self.directory.saml_url}/metadata", timeout=5)
        idp = OneLogin_Saml2_IdPMetadataParser.parse(described.content)["idp"]
        settings = self.site.settings(self.site.signing_key, idp, **security)
        return OneLogin_Saml2_Auth(self._request({}), settings)

    def _request(self, form: dict) -> dict:
        return {
            "https": "off",
            "http_host": urlsplit(self.site.url).netloc,
            "script_name": "/saml/corp/acs",
            "get_data": {},
            "post_data": form,
        }

    def read(self, auth: OneLogin_Saml2_Auth, form: dict) -> OneLogin_Saml2_Auth:
        """Give the site the answer that the browser carries."""
        auth._request_data = self._request(form)
        auth.process_response(request_id=auth.get_last_request_id())
        return auth

    def openid(self, **changed: str) -> OAuth2Session:
        """The site's OpenID half."""
        given = {
            "client_id": "daypass",
            "client_secret": SECRET,
            "redirect_uri": f"{self.site.url}/oidc/partner/callback",
            "scope": "openid profile email groups",
            "code_challenge_method": "S256",
            **changed,
        }
        session = OAuth2Session(**given)
        session.trust_env = False
        return session

    def authorize_url(self, client: OAuth2Session | None = None, **more: str) -> str:
        asked = {"code_verifier": VERIFIER, "nonce": "a nonce", "state": "a state", **more}
        url, _ = (client or self.openid()).create_authorization_url(
            f"{self.directory.oidc_url}/authorize", **asked
        )
        return url


class Browser:
    """Follows links and fills in forms; goes no further than the directory."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, url: str) -> requests.Response:
        return self._follow(self.session.get(url, timeout=10, allow_redirects=False))

    def _follow(self, response: requests.Response) -> requests.Response:
        while response.is_redirect:
            target = urljoin(response.url, response.headers["Location"])
            if urlsplit(target).netloc != urlsplit(response.url).netloc:
                return response
            response = self.session.get(target, timeout=10, allow_redirects=False)
        return response

    def sign_in(
        self, page: requests.Response, username: str, password: str, **more: str
    ) -> requests.Response:
        form = html.fromstring(page.text).forms[0]
        assert form.method == "POST", page.text
        fields = {"username": username, "password": password, **more}
        answer = self.session.post(
            urljoin(page.url, form.action or ""), data=fields, timeout=10, allow_redirects=False
        )
        return self._follow(answer)


def hidden_form(page: requests.Response) -> tuple[str, dict[str, str]]:
    """Where the answer goes and what it holds."""
    form = html.fromstring(page.text).forms[0]
    return form.action, dict(form.form_values())


def came_back(response: requests.Response) -> tuple[str, dict[str, str]]:
    """The address that the browser is sent back to, without its query, and the query."""
    parts = urlsplit(response.headers["Location"])
    query = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
    return parts._replace(query="").geturl(), query


def start(folder: Path, site: Site, **plan: object) -> Directory:
    return Directory(
        Plan(broker=site.url, state=folder, client_secret=SECRET, social_secret=APP_SECRET, **plan)
    )
