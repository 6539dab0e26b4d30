"""Console links: a sign-in token, and the address that redeems it.

Source: "Enable custom identity broker access to the AWS Management Console" (IAM User Guide).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import SplitResult, urlencode, urlsplit

from app.aws.channel import Answer
from app.aws.deadline import Deadline
from app.aws.failover import Down, Message, Place, Places
from app.aws.partitions import Partition, is_region
from app.aws.signing import FORM
from app.errors import ConsoleFailed, DestinationForbidden
from app.model import ConsoleLink, Credentials

LINK_LIFE = timedelta(minutes=15)
"""How long a sign-in token is good for."""
CAP = 64 * 1024
_SESSION = (900, 43200)
_LONGEST_DESTINATION = 2048
_PLAIN = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
"""Printable ASCII without blank and backslash."""
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


class Destinations:
    """Where a console link may lead."""

    def __init__(self, partition: Partition, region: str, own: str | None) -> None:
        """`own` is the address of a double's console; None for AWS."""
        self._partition = partition
        self._region = region
        self._own = own

    def choose(self, asked: str | None, region: str | None = None) -> str:
        """The address as asked, or the console's start page for None.

        Only `https://console…` of the partition and its regional forms, any path; and a double's
        console. Raises DestinationForbidden.
        """
        if asked is None:
            return self._home(region or self._region)
        if len(asked) > _LONGEST_DESTINATION or not _PLAIN.fullmatch(asked):
            raise DestinationForbidden(
                "destination is empty, too long, or has characters that no address has"
            )
        try:
            parts = urlsplit(asked)
        except ValueError:
            raise DestinationForbidden("destination is not an address") from None
        # The whole authority is compared: user info, a port or another case is not the console's host.
        if not (self._is_aws(asked, parts) or self._is_own(asked, parts)):
            raise DestinationForbidden(f"destination is not a console address: {asked[:200]}")
        return asked

    def _is_aws(self, asked: str, parts: SplitResult) -> bool:
        return asked.startswith("https://") and self._partition.is_console(parts.netloc)

    def _is_own(self, asked: str, parts: SplitResult) -> bool:
        if self._own is None:
            return False
        own = f"{self._own}/console"
        return (
            asked.startswith(own) and asked[len(own) :][:1] in ("", "/", "?", "#") and ".." not in parts.path
        )

    def _home(self, region: str) -> str:
        if not is_region(region):
            raise DestinationForbidden(f"{region[:40]!r} is not a region")
        if self._own is not None:
            return f"{self._own}/console/home?region={region}"
        home = self._partition.console_home(region)
        if home is None:
            raise DestinationForbidden(f"the console of {self._partition.name} has no address here")
        return home


class Console:
    """The sign-in endpoint. Safe to use from many threads."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def link(
        self, credentials: Credentials, destination: str, issuer: str, now: datetime, deadline: Deadline
    ) -> ConsoleLink:
        """A link that opens the console at `destination` as the session of `credentials`.

        Good for 15 minutes from `now`; `issuer` is where AWS sends people whose session has ended.
        Raises ConsoleFailed.
        """
        seconds = None
        if not credentials.chained:
            # AWS takes SessionDuration only where the caller of AssumeRole held long-term keys.
            left = int((credentials.expiration - now).total_seconds())
            seconds = max(_SESSION[0], min(left, _SESSION[1]))
        place, answer = self._ask(credentials, seconds, deadline)
        if answer.status == 400 and seconds is not None:
            place, answer = self._ask(credentials, None, deadline)
        query = {
            "Action": "login",
            "Issuer": issuer,
            "Destination": destination,
            "SigninToken": _signin_token(answer),
        }
        return ConsoleLink(f"{place.url}/federation?{urlencode(query)}", now + LINK_LIFE)

    def _ask(self, credentials: Credentials, seconds: int | None, deadline: Deadline) -> tuple[Place, Answer]:
        session = {
            "sessionId": credentials.access_key_id,
            "sessionKey": credentials.secret_access_key,
            "sessionToken": credentials.session_token,
        }
        fields: Mapping[str, str] = {
            "Action": "getSigninToken",
            **({} if seconds is None else {"SessionDuration": str(seconds)}),
            "Session": json.dumps(session),
        }
        # By POST: the session token alone can be longer than what a server takes as an address, and
        # addresses end up in logs.
        message = Message("/federation", {"Content-Type": FORM}, urlencode(fields).encode("ascii"))
        try:
            return self._places.ask(lambda _place: message, deadline)
        except Down as error:
            raise ConsoleFailed(f"getSigninToken: {error}") from None


def _signin_token(answer: Answer) -> str:
    if answer.status != 200:
        raise ConsoleFailed(f"getSigninToken: HTTP {answer.status}")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ConsoleFailed("getSigninToken: the answer is not JSON") from None
    token = found.get("SigninToken") if isinstance(found, dict) else None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ConsoleFailed("getSigninToken: the answer has no sign-in token")
    return token
