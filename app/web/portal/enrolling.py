"""Adding a device: choose a kind, show what it needs, take its answer. The same within a challenge and on /security."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from app.errors import AskRefused, CodeWrong, Malformed, Refusal, TooManyGuesses
from app.mfa import qr
from app.people import Enrolled, Enrolment, FactorKind
from app.web import asks, cookies, forms, page, records
from app.web.portal import kinds, typed
from app.web.portal.kinds import KindView
from app.web.visit import Visit
from app.web.wire import Response

FIELDS: Final = ("c", "kind", "step", "enrolment", "code", "response", "name", "secret", "uri")
# What the page of an authenticator app showed comes back with a wrong code, to be shown again. It proves nothing.
_SECRET = re.compile(r"[A-Z2-7]{16,128}=*", re.ASCII)
_URI = re.compile(r"otpauth://[!-~]{1,1024}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device is being added."""

    action: str
    """Address of the form."""
    within: str = ""
    """Handle of the challenge that wants one; empty on /security."""
    why: str = ""
    then: str = ""
    counts_later: bool = False
    """For roles of level admin it counts only from the next sign-in on."""
    back_href: str = ""


@dataclass(frozen=True, slots=True)
class ChoosePage:
    """Which kind?"""

    place: Place
    kinds: tuple[KindView, ...]


@dataclass(frozen=True, slots=True)
class EnrolPage:
    """A device about to be added."""

    place: Place
    handle: str
    kind: KindView
    name: str
    name_longest: int
    wrong: str
    secret: str = ""
    """Base32, as the authenticator app takes it."""
    secret_words: tuple[str, ...] = ()
    """In fours, to be read and typed."""
    uri: str = ""
    qr: Markup = Markup()  # noqa: RUF009
    options: str = ""
    """For `navigator.credentials.create`."""
    code_longest: int = typed.CODE_LONGEST


@dataclass(frozen=True, slots=True)
class CodesPage:
    """Recovery codes, this once."""

    title: str
    words: str
    codes: tuple[str, ...]
    counts_later: bool
    next: str
    go_on: str


def choose(visit: Visit, place: Place, offered: Sequence[FactorKind]) -> Response:
    """The choice of kinds."""
    return page.show(
        "enrol_choose.html", ChoosePage(place, tuple(kinds.view(kind) for kind in offered)), visit
    )


def begin(visit: Visit, place: Place, browser: str, fields: dict[str, str]) -> Response:
    """What the chosen kind needs. Raises Malformed, ProofNotRecent, FactorsFull, ChallengeOver, Unavailable."""
    return _show(visit, place, _begin(visit, place, browser, _kind(fields)))


def finish(
    visit: Visit, place: Place, browser: str, device: str, fields: dict[str, str]
) -> Enrolled | Response:
    """The device that was added; or the page again, where its answer or name did not do.

    Raises:
        ChallengeOver, ProofNotRecent, FactorsFull, Malformed, TooMany, Unavailable.
    """
    kind = _kind(fields)
    handle = typed.handle(fields.get("enrolment", ""))
    name = fields.get("name", "").strip() or kinds.usual_name(kind)
    try:
        return visit.broker.finish_enrolment(
            handle,
            browser,
            typed.answer(fields),
            asks.line(name, "name", typed.NAME_LONGEST),
            caller=visit.caller,
            session=None if place.within else visit.person,
            device=device,
            previous=cookies.session_token(visit.request, visit.settings) or None,
        )
    except (CodeWrong, TooManyGuesses) as refusal:
        return _again(visit, place, browser, fields, _code_words(refusal, kind))
    except AskRefused as refusal:
        if type(refusal) is not AskRefused:  # its kin have pages of their own
            raise
        records.note(visit, refusal)
        return _again(visit, place, browser, fields, refusal)


def codes_page(
    visit: Visit, place: Place, added: Sequence[str], title: str, words: str, on: tuple[str, str]
) -> Response:
    """The recovery codes, this once; `on` is address and words of the way on."""
    shown = CodesPage(title, words, tuple(added), place.counts_later, *on)
    return page.show("recovery_codes.html", shown, visit)


def _kind(fields: dict[str, str]) -> FactorKind:
    kind = kinds.known(fields.get("kind", ""))
    if kind is None or kind == "recovery":
        raise Malformed("kind", words="Choose one of the kinds that the page offers.")
    return kind


def _code_words(refusal: Refusal, kind: FactorKind) -> Refusal:
    if isinstance(refusal, CodeWrong) and kind == "totp":
        refusal.words = (
            "That code does not fit. Check that the app shows the code for this key, and that your phone’s clock is "
            "right; then type the code that it shows now."
        )
    return refusal


def _again(visit: Visit, place: Place, browser: str, fields: dict[str, str], refusal: Refusal) -> Response:
    kind = _kind(fields)
    secret, uri = fields.get("secret", ""), fields.get("uri", "")
    if kind == "totp" and _SECRET.fullmatch(secret) and _URI.fullmatch(uri):
        shown = Enrolment(fields["enrolment"], kind, secret=secret, uri=uri)
    else:  # a security key's answer fits one question only
        shown = _begin(visit, place, browser, kind)
    name = "".join(char for char in fields.get("name", "") if char.isprintable())[: typed.NAME_LONGEST]
    return page.refused(_show(visit, place, shown, name, refusal.words), refusal)


def _begin(visit: Visit, place: Place, browser: str, kind: FactorKind) -> Enrolment:
    return visit.broker.begin_enrolment(
        kind,
        browser,
        caller=visit.caller,
        session=None if place.within else visit.person,
        within=place.within,
    )


def _show(visit: Visit, place: Place, begun: Enrolment, name: str = "", wrong: str = "") -> Response:
    secret = begun.secret
    shown = EnrolPage(
        place=place,
        handle=begun.handle,
        kind=kinds.view(begun.kind),
        name=name or kinds.usual_name(begun.kind),
        name_longest=typed.NAME_LONGEST,
        wrong=wrong,
        secret=secret,
        secret_words=tuple(secret[at : at + 4] for at in range(0, len(secret), 4)),
        uri=begun.uri,
        qr=Markup(qr.svg(begun.uri, "QR code for the authenticator app")) if begun.uri else Markup(),  # noqa: S704
        options=begun.webauthn_options,
    )
    return page.show("enrol_webauthn.html" if begun.kind == "webauthn" else "enrol_totp.html", shown, visit)


def read(visit: Visit) -> dict[str, str]:
    """The form. Raises Malformed, MediaType, TooLarge."""
    return forms.form(visit.request, FIELDS)
