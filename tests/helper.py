"""A client of the broker's authorization server, as its helpers and apps are, without the wire."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from app.model import (
    Caller,
    ClientProof,
    CodeProof,
    DeviceProof,
    DeviceStarted,
    Grant,
    GrantAsk,
    RefreshProof,
    Session,
    Tokens,
)
from tests.house import CALLER, House

LOOPBACK = "http://127.0.0.1:51234/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CLI = ClientProof("cli")
ASK = GrantAsk("cli", LOOPBACK, (), CHALLENGE, "S256", "", "ana's laptop")
BOT_SECRET = "s3cr3t-of-the-deploy-bot-0123456789"
BOT = ClientProof("bot", BOT_SECRET)
BOT_FILE = """\
name: Deploy bot
grants: [code, device, refresh]
redirect_uris: [https://bot.acme.test/callback]
scopes: [roles]
secret: {file: SECRET}
"""
BOT_ASK = replace(ASK, client="bot", redirect_uri="https://bot.acme.test/callback", device="")


class Helper:
    """What a client keeps between two calls."""

    def __init__(self, house: House, proof: ClientProof = CLI, caller: Caller = CALLER) -> None:
        self.house = house
        self.proof = proof
        self.caller = caller

    def code(self, person: Session, ask: GrantAsk = ASK) -> Grant:
        return self.house.broker.authorize(person, ask, caller=self.caller)

    def redeem(self, grant: Grant, **changed: str) -> Tokens:
        proof = CodeProof(grant.code, grant.redirect_uri, VERIFIER)
        return self.house.broker.redeem(self.proof, replace(proof, **changed), caller=self.caller)

    def sign_in(self, person: Session, ask: GrantAsk = ASK) -> Tokens:
        return self.redeem(self.code(person, ask))

    def refresh(self, token: str | None, *scope: str, resource: str = "") -> Tokens:
        assert token is not None
        return self.house.broker.redeem(self.proof, RefreshProof(token, scope, resource), caller=self.caller)

    def begin(self, scope: Sequence[str] = (), device: str = "ana's laptop") -> DeviceStarted:
        return self.house.broker.begin_device(self.proof, scope, "", device, caller=self.caller)

    def poll(self, started: DeviceStarted) -> Tokens:
        return self.house.broker.redeem(self.proof, DeviceProof(started.device_code), caller=self.caller)

    def bearer(self, tokens: Tokens, scope: str = "roles") -> Session:
        return self.house.broker.bearer(tokens.access_token, scope, caller=self.caller)  # type: ignore[arg-type]


def bot(house: House) -> Helper:
    """A confidential client, applied to the house's configuration."""
    kept = house.config.parent / "bot-secret"
    kept.write_text(BOT_SECRET)
    house.write("clients/bot.yaml", BOT_FILE.replace("SECRET", str(kept)))
    house.apply()
    return Helper(house, BOT)


def said(tokens: Tokens) -> dict[str, object]:
    """The claims of an access token, unchecked."""
    body = tokens.access_token.split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert isinstance(found, dict)
    return found
