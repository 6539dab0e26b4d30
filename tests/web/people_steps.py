"""Steps at the pages of local people: forms as a browser sends them, hidden fields and all."""

from __future__ import annotations

import re
from html import unescape

from werkzeug.test import TestResponse

from app.model import Session
from tests.web.browser import Browser
from tests.web.builders import BASE, World, settings
from tests.web.local_people import PASSWORD

OURS = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}


def world(**changes: object) -> World:
    """With local users."""
    return World(settings=settings(local="Contractors", **changes))


def post(made: World, path: str, browser: Browser | None = None, **fields: str) -> TestResponse:
    """A form of our own page."""
    return (browser or made.browser).post(path, data=fields, headers=OURS)


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page; of one that stands in several forms, the first."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in reversed(found)}


def give_password(
    made: World, target: str = "/", browser: Browser | None = None, **changes: str
) -> TestResponse:
    fields = {"username": "lena", "password": PASSWORD, "next": target, **changes}
    return post(made, "/sign-in/local", browser, **fields)


def asked(made: World, target: str = "/") -> str:
    """Name and password given, a factor is wanted: the challenge's address."""
    if not made.broker.factors:
        made.broker.has(made.broker.lena(), "totp", "webauthn")
    answer = give_password(made, target)
    assert answer.status_code == 303
    return answer.headers["Location"]


def handle(address: str) -> str:
    return address.partition("?c=")[2]


def as_lena(made: World, *kinds: str) -> Session:
    """Signed in as a local user, who has these devices."""
    who = made.broker.lena()
    if kinds:
        made.broker.has(who, *kinds)  # type: ignore[arg-type]
    return made.signed_in(identity=who)


def cookies(answer: TestResponse) -> dict[str, str]:
    return {line.partition("=")[0]: line for line in answer.headers.getlist("Set-Cookie")}


def token(made: World, browser: Browser | None = None) -> str:
    found = (browser or made.browser).get_cookie(made.cookie(), domain="localhost")
    return found.value if found else ""
