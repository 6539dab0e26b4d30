"""An endpoint in the shape of EC2's instance metadata service, version 2, for tools that know nothing else.

It has no secret of its own: whoever can open a connection to loopback gets the credentials. Source: EC2 User
Guide, "Use the Instance Metadata Service to access instance metadata", "Retrieve security credentials".
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from datetime import datetime, timezone
from typing import Callable

from daypass.serve import local
from daypass.serve.holder import Held, Holder, Unavailable

TOKEN = "/latest/api/token"  # noqa: S105 - an address
ROLES = "/latest/meta-data/iam/security-credentials"
LONGEST = 21600
"""Seconds that a token may live."""
MOST = 1024
"""Tokens kept; the one that ends first makes room."""
_LIFE = "X-aws-ec2-metadata-token-ttl-seconds"
_TEXT = "text/plain"


class Tokens:
    """Tokens that were given, until they end."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._ends: dict[str, float] = {}
        self._lock = threading.Lock()

    def give(self, life: int) -> str:
        """A new token for so many seconds."""
        token = secrets.token_urlsafe(42)
        with self._lock:
            if len(self._ends) >= MOST:
                del self._ends[min(self._ends, key=lambda each: self._ends[each])]
            self._ends[token] = self._now() + life
        return token

    def good(self, token: str) -> bool:
        """True until its end."""
        with self._lock:
            return self._ends.get(token, 0.0) > self._now()


def handler(holder: Holder, now: Callable[[], float], region: str) -> type[local.Handler]:
    """Answers the questions of version 2; those of version 1, without a token, get 401."""
    tokens = Tokens(now)

    class Metadata(local.Handler):
        def answers(self, method: str, path: str) -> None:
            if self.headers.get_all("X-Forwarded-For") is not None:
                raise local.Refused(403, "Questions that came through a proxy are not answered here.")
            if method == "PUT" and path == TOKEN:
                life = _life(local.only(self.headers, _LIFE))
                self.reply(200, tokens.give(life), _TEXT, {_LIFE: str(life)})
                return
            if method != "GET":
                raise local.Refused(
                    405, "Metadata is asked for by GET, with a token from PUT /latest/api/token."
                )
            if not tokens.good(local.only(self.headers, "X-aws-ec2-metadata-token")):
                raise local.Refused(401, "A token from PUT /latest/api/token is needed (version 2 only).")
            self.reply(200, *answer(path, holder, now(), region))

    return Metadata


def answer(path: str, holder: Holder, now: float, region: str) -> tuple[str, str]:
    """Body and content type; a slash at the end makes no difference. Raises Refused."""
    path = path.rstrip("/")
    try:
        held = holder.current()
    except Unavailable as error:
        raise local.Refused(503, str(error)) from None
    name = held.arn.rpartition("/")[2]
    if path == ROLES:
        return name, _TEXT
    if path.startswith(ROLES + "/"):
        if path != f"{ROLES}/{name}":
            raise local.Refused(404, f"The role attached now is {name}.")
        return _credentials(held), "application/json"
    if path == "/latest/meta-data/iam/info":
        return _info(held), "application/json"
    if region and path == "/latest/meta-data/placement/region":
        return region, _TEXT
    if region and path == "/latest/meta-data/placement/availability-zone":
        return region + "a", _TEXT
    if region and path == "/latest/dynamic/instance-identity/document":
        return json.dumps({"region": region, "accountId": held.arn.split(":")[4]}), _TEXT
    raise local.Refused(404, "This metadata is not here.")


def _credentials(held: Held) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": _instant(held.began),
            "Type": "AWS-HMAC",
            "AccessKeyId": held.given.access_key_id,
            "SecretAccessKey": held.given.secret_access_key,
            "Token": held.given.session_token,
            "Expiration": held.given.expiration,
        }
    )


def _info(held: Held) -> str:
    profile = held.arn.replace(":role/", ":instance-profile/", 1)
    return json.dumps({"Code": "Success", "LastUpdated": _instant(held.began), "InstanceProfileArn": profile})


def _life(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= LONGEST:
        raise local.Refused(400, f"{_LIFE} must be a whole number from 1 to {LONGEST}.")
    return int(text)


def _instant(when: float) -> str:
    return datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
