"""A sign-in at Chirp, the demo's social network, as a program on a phone does it: code with PKCE, no secret."""

from __future__ import annotations

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlsplit

import requests

from tests.journeys.make_run import Demo

NATIVE = "http://127.0.0.1:49152/callback"


def token(demo: Demo, username: str, app: str = "acme-app", redirect_uri: str = NATIVE) -> str:
    """An access token of the person's, made for that app."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    ask = {
        "response_type": "code",
        "client_id": app,
        "redirect_uri": redirect_uri,
        "scope": "profile",
        "state": secrets.token_urlsafe(24),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with requests.Session() as browser:
        url = browser.get(f"{demo.ports.social_url}/authorize", params=ask, timeout=20).url
        person = demo.person(username)
        form = {"username": username, "password": person["password"]}
        answer = browser.post(url, data=form, allow_redirects=False, timeout=20)
        while not answer.headers["Location"].startswith(redirect_uri):
            answer = browser.get(
                f"{demo.ports.social_url}{answer.headers['Location']}", allow_redirects=False, timeout=20
            )
        back = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert back["state"] == [ask["state"]]
        form = {
            "grant_type": "authorization_code",
            "client_id": app,
            "redirect_uri": redirect_uri,
            "code": back["code"][0],
            "code_verifier": verifier,
        }
        given = browser.post(f"{demo.ports.social_url}/token", data=form, timeout=20)
    assert given.status_code == 200, given.text
    text: str = given.json()["access_token"]
    return text
