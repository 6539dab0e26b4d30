"""A company whose apps bring tokens of three providers that are the tests' own, so that they can lie, over real HTTP.

with AppCompany(tmp_path) as acme:
    acme.exchange(acme.chirp("robin"), **AWS)
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import requests
from botocore.config import Config

from app.model import EXCHANGE
from app.web.oauth.exchange import AWS_CREDENTIALS, GUEST
from tests.attacks.answers import documented
from tests.attacks.oidc_company import OidcCompany
from tests.attacks.outages import assumed
from tests.company import SECRETS
from tests.signin.oauth2 import builders as chirps
from tests.signin.oidc.builders import GONE, Handler, changed, rsa, sign
from tests.signin.oidc.test_oidc_token import Forge
from tests.signin.saml.builders import Edit
from tests.signin.saml.test_grant import RECIPIENT, encoded, signed

TYPE = "urn:ietf:params:oauth:token-type:"
AWS = {"requested_token_type": AWS_CREDENTIALS}
UPLOADS = "arn:aws:iam::444455556666:role/AppUploads"
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
BUCKET = "app-uploads"
PAGE = "http://127.0.0.1:8004"
"""Where photo-app's page is from; no other client declares it."""
NOTES_PAGE = "https://notes.example"
WEB = "photo-web"
"""The app's own id at the partner's."""
CORP = "urn:acme:app"
CLIENTS = {
    "photo-app": f"""\
name: Shoebox
grants: [exchange, refresh]
accepts: {{social: [acme-app], partner: [{WEB}], corp: ['{CORP}']}}
pool: photo
origins: [{PAGE}]
guests: true
credentials: 20m
roles: [{UPLOADS}]
""",
    # The same audiences: only what is bound to one client keeps the other's hands off.
    "notes-app": f"""\
name: Notes
grants: [exchange]
accepts: {{partner: [{WEB}], corp: ['{CORP}']}}
origins: [{NOTES_PAGE}]
scopes: [roles]
roles: [{UPLOADS}]
""",
    "album-app": f"""\
name: Album
grants: [exchange]
accepts: {{social: [acme-app], partner: [{WEB}]}}
pool: photo
subject_tokens: once
guests: true
roles: [{UPLOADS}]
""",
}
FOLDERS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": [
                f"arn:aws:s3:::{BUCKET}/${{daypass:identity-id}}/*",
                f"arn:aws:s3:::{BUCKET}/by-name/${{daypass:Claim/handle, 'nobody'}}/*",
            ],
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{BUCKET}",
            "Condition": {"StringLike": {"s3:prefix": "${daypass:identity-id}/*"}},
        },
    ],
}


@dataclass(frozen=True)
class Held:
    """What the social provider knows of one of its tokens."""

    name: str
    check: Mapping[str, object] = field(default_factory=dict)
    """Changes to what the token check says."""
    profile: Mapping[str, object] = field(default_factory=dict)
    """Changes to the profile."""


class AppCompany(OidcCompany):
    """The OpenID company with three apps and a plain OAuth 2.0 provider, `social`, as strict as Facebook's.

    photo-app lets guests in and has a page; notes-app may bring the same tokens; album-app is in photo-app's pool
    and brings each token once.
    """

    def __init__(self, folder: Path, *, workers: int = 2) -> None:
        self._social = ExitStack()
        self.social = self._social.enter_context(chirps.running())
        self.social.secret = SECRETS["SOCIAL_CLIENT_SECRET"]
        self.held: dict[str, Held] = {}
        self.shown: set[str] = set()
        """Every token that an app brought or got, or tried to."""
        self.checked: list[str] = []
        """Tokens that the social provider was asked about."""
        self.be_honest()
        super().__init__(folder, workers=workers)
        self.social.clock = self._clock

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        folders = json.dumps(FOLDERS).encode()
        apps = {f"clients/{name}.yaml": text.encode() for name, text in CLIENTS.items()}
        super()._configure(providers, {**files, **apps, "policies/own-folder.json": folders})
        social = self.config / "providers" / "social.yaml"
        social.write_text(social.read_text().replace("http://127.0.0.1:8003", self.social.issuer))

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._social.close()

    def be_honest(self) -> None:
        """The social provider as it was at first."""
        self.social.routes |= {"/debug_token": self._debug_token, "/me": self._me}

    def honest(self) -> None:
        super().honest()
        self.be_honest()

    # --- the social provider ------------------------------------------------------------------------------

    def _debug_token(self, handler: Handler) -> None:
        query = dict(parse_qsl(urlsplit(handler.path).query, strict_parsing=True))
        if query["access_token"] != f"acme-app|{self.social.secret}":
            return handler.json({"error": {"code": 190, "type": "OAuthException"}}, 400)
        self.checked.append(query["input_token"])
        held = self.held.get(query["input_token"])
        if held is None:
            return handler.json({"data": {"is_valid": False, "error": {"code": 190}, "scopes": []}})
        honest = {
            "app_id": "acme-app",
            "type": "USER",
            "is_valid": True,
            "issued_at": self.social.now - 60,
            "expires_at": self.social.now + 3600,
            "user_id": f"{held.name}-id",
        }
        return handler.json({"data": changed(honest, held.check)})

    def _me(self, handler: Handler) -> None:
        held = self.held.get(handler.headers.get("Authorization", "").removeprefix("Bearer "))
        if held is None:
            return handler.json({"error": "invalid_token"}, 401)
        honest = {
            "id": f"{held.name}-id",
            "handle": held.name,
            "email": f"{held.name}@acme.test",
            "email_verified": True,
        }
        return handler.json(changed(honest, held.profile))

    # --- what an app has of its person ----------------------------------------------------------------------

    def subject(self, text: str, kind: str) -> dict[str, str]:
        self.shown.add(text)
        return {"subject_token": text, "subject_token_type": f"{TYPE}{kind}"}

    def chirp(
        self, name: str = "robin", *, profile: Mapping[str, object] | None = None, **check: object
    ) -> dict[str, str]:
        """An access token of the social provider, and what that says of it."""
        text = secrets.token_urlsafe(24)
        self.held[text] = Held(name, check, profile or {})
        return self.subject(text, "access_token")

    def id_token(
        self, forge: Forge | None = None, header: Mapping[str, object] | None = None, **claims: object
    ) -> dict[str, str]:
        """An ID token of the partner's for photo-app's page, or one put together by `forge`."""
        said = {**self.partner.honest_claims(""), "aud": WEB, "nonce": GONE, "jti": secrets.token_hex(8)}
        made, head = changed(said, claims), changed({"alg": "RS256", "kid": "k1", "typ": "JWT"}, header or {})
        text = forge(head, made) if forge else sign(head, json.dumps(made).encode(), rsa())
        return self.subject(text, "id_token")

    def assertion(self, *edits: Edit, **knobs: Any) -> dict[str, str]:
        """A SAML assertion of the company's directory for the apps."""
        own = (RECIPIENT, f"{self.base_url}/oauth/token")
        knobs = {"now": self.now(), "assertion_id": f"_{secrets.token_hex(8)}", **knobs}
        return self.subject(encoded(signed(self.idp, own, *edits, **knobs)), "saml2")

    # --- asking ---------------------------------------------------------------------------------------------

    def send(
        self,
        path: str,
        form: Mapping[str, str],
        *,
        client: str = "photo-app",
        browser: requests.Session | None = None,
        **headers: str,
    ) -> requests.Response:
        """A form as a client, at an address of its own unless a browser is given."""
        return (browser or self.browser()).post(
            self.base_url + path,
            data={"client_id": client, **form},
            headers=headers,
            allow_redirects=False,
            timeout=60,
        )

    def exchange(self, subject: Mapping[str, str], *, client: str = "photo-app", **form: str) -> Any:
        return self.send("/oauth/token", {"grant_type": EXCHANGE, **subject, **form}, client=client)

    def guest(
        self, browser: requests.Session | None = None, *, client: str = "photo-app", **form: str
    ) -> Any:
        return self.send("/oauth/token", {"grant_type": GUEST, **form}, client=client, browser=browser)

    def api(self, token: str, path: str = "/v1/me", *, browser: Any = None, **body: Any) -> requests.Response:
        """A call with a token; with members, they are posted as JSON."""
        return (browser or self.browser()).request(
            "POST" if body else "GET",
            self.base_url + path,
            headers={"Authorization": f"Bearer {token}"},
            json=body or None,
            timeout=60,
        )

    def gets_in(self, subject: Mapping[str, str], *, client: str = "photo-app", **form: str) -> Any:
        """What the honest twin is given."""
        answer = self.exchange(subject, client=client, **form)
        assert answer.status_code == 200, (answer.text, self.why(answer))
        assert "Set-Cookie" not in answer.headers
        self.shown.add(answer.json()["access_token"])
        return answer.json()

    # --- what came of it ------------------------------------------------------------------------------------

    def rows(self, table: str) -> set[str]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return {row[0] for row in connection.execute(f"SELECT id FROM {table}")}

    @contextmanager
    def nothing_given(self) -> Iterator[None]:
        """No session begins meanwhile, no guest, and AWS is not asked."""
        sessions, identities, asked = self.rows("sessions"), self.rows("pool_identities"), assumed(self)
        yield
        assert self.rows("sessions") <= sessions
        assert self.rows("pool_identities") <= identities
        assert assumed(self) == asked

    def bucket(self, given: Mapping[str, str]) -> Any:
        """The AWS double's S3, with what an exchange gave."""
        return boto3.client(
            "s3",
            endpoint_url=self.aws_url,
            region_name="eu-west-1",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )


_ERRORS = {400, 403, 409, 429, 502}


def turned_away(answer: requests.Response, error: str, code: str, status: int = 400) -> dict[str, Any]:
    """The refusal, after a look at all that is promised of one at the OAuth endpoints (RFC 6749, 5.2)."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert status in _ERRORS and answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    said: dict[str, Any] = answer.json()
    assert set(said) == {"error", "error_description", "code", "request_id"}, said
    assert (said["error"], said["code"]) == (error, code), said
    assert said["request_id"] == answer.headers["X-Request-Id"]
    assert code in {known for _, known in documented()}
    return said
