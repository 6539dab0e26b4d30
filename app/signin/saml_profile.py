"""What a signed assertion must say for us to believe it: the Web Browser SSO Profile, exactly.

SAML Profiles 4.1.4.2 and 4.1.4.3, Core 2.3 to 2.7, Bindings 3.5.5.2. Every comparison is of whole,
unchanged strings; every time is held against the instant that is passed in, with `SKEW` of tolerance.
Pure: reads the verified tree, decides, keeps nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from lxml import etree

from app.errors import (
    SamlAudience,
    SamlContent,
    SamlDestination,
    SamlIssuer,
    SamlRefused,
    SamlTime,
    SignInNotOurs,
)
from app.model import SKEW
from app.signin.saml_shape import Shaped
from app.signin.saml_xml import SAML, quoted, text

LONGEST_GRANT: Final = timedelta(days=1)
"""How far ahead the end of an assertion may lie that an app presents: so long its mark is kept."""
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
NAME_ID: Final = "NameID"
"""The claim name under which the subject's name stands beside the attributes."""

_ENTITY: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
_KNOWN_CONDITIONS: Final = frozenset(
    f"{{{SAML}}}{name}" for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
)
"""The last two hold anyway: each assertion is taken once, and none is passed on."""
_INSTANT: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer to one request of ours must name, character by character."""

    issuer: str
    """The provider's entity ID."""
    audience: str
    """Our entity ID."""
    recipient: str
    """Our assertion consumer service."""
    request_id: str


@dataclass(frozen=True, slots=True)
class ExpectedGrant:
    """What an assertion that an app presents must name, character by character."""

    issuer: str
    """The provider's entity ID."""
    audiences: Collection[str]
    """Those that the app may bring."""
    recipient: str
    """Our token endpoint."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a believed assertion says."""

    assertion_id: str
    out_of_date: datetime
    """From when on the assertion is refused by its own times, `SKEW` not counted."""
    authenticated_at: datetime
    session_ends: datetime | None
    """SessionNotOnOrAfter."""
    context: str | None
    """AuthnContextClassRef."""
    name_format: str | None
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)
    """By exact Name, and the subject under `NameID`."""


def read(shape: Shaped, expected: Expected, now: datetime) -> Statement:
    """Check a response whose signatures are verified, and read it.

    Raises SamlIssuer, SamlAudience, SamlDestination, SamlTime, SamlContent, and SignInNotOurs where the
    answer belongs to another request or to none.
    """
    response, assertion = shape.response, shape.assertion
    for message in (response, assertion):
        if message.get("Version") != "2.0":
            raise SamlContent("the version is not 2.0")
        _not_early(message, "IssueInstant", now)
    _response(shape, expected)
    _issuer(_only(assertion, "Issuer", SamlIssuer), expected.issuer)
    subject = _only(assertion, "Subject")
    confirmation, conditions = _only(subject, "SubjectConfirmation"), _only(assertion, "Conditions")
    ends = [_confirmed(confirmation, expected.recipient, expected.request_id, now)]
    ends.append(_conditions(conditions, {expected.audience}, now))
    return _statement(assertion, subject, min(ends), now)


def read_grant(assertion: etree._Element, expected: ExpectedGrant, now: datetime) -> tuple[Statement, str]:
    """Check an assertion whose signature is verified and that an app presents (RFC 7522 3), and read it.

    As for a response, but: the recipient is our token endpoint, never an assertion consumer service; it answers no
    request of ours; every audience is one that the app may bring, so that nobody else holds it with good reason;
    and it ends within a day, without tolerance, since what is given for it may not live longer.
    Out: what it says, and its (first) audience. Raises SamlIssuer, SamlAudience, SamlDestination, SamlTime,
    SamlContent.
    """
    if assertion.get("Version") != "2.0":
        raise SamlContent("the version is not 2.0")
    _not_early(assertion, "IssueInstant", now)
    _issuer(_only(assertion, "Issuer", SamlIssuer), expected.issuer)
    subject = _only(assertion, "Subject")
    confirmation, conditions = _only(subject, "SubjectConfirmation"), _only(assertion, "Conditions")
    ends = [_confirmed(confirmation, expected.recipient, None, now)]
    ends.append(_conditions(conditions, expected.audiences, now, alone=True))
    if min(ends) <= now:
        raise SamlTime(f"the assertion ended at {min(ends).isoformat()}, and now is {now.isoformat()}")
    if min(ends) - now > LONGEST_GRANT:
        raise SamlTime(f"the assertion lives until {min(ends).isoformat()}, longer than a day")
    audience = text(next(conditions.iter(f"{{{SAML}}}Audience")))
    return _statement(assertion, subject, min(ends), now), audience


def _statement(
    assertion: etree._Element, subject: etree._Element, out_of_date: datetime, now: datetime
) -> Statement:
    authn = _only(assertion, "AuthnStatement")
    session_ends = None
    if "SessionNotOnOrAfter" in authn.attrib:
        session_ends = _not_late(authn, "SessionNotOnOrAfter", now)
    name_id = _only(subject, "NameID")
    return Statement(
        assertion_id=assertion.get("ID", ""),
        out_of_date=out_of_date,
        authenticated_at=_not_early(authn, "AuthnInstant", now),
        session_ends=session_ends,
        context=_context(authn),
        name_format=name_id.get("Format"),
        attributes=_attributes(assertion, name_id),
    )


# --- addresses ------------------------------------------------------------------------------------


def _response(shape: Shaped, expected: Expected) -> None:
    response = shape.response
    if response.get("Destination") != expected.recipient:
        raise SamlDestination(f"Destination is `{quoted(response.get('Destination'))}`")
    if response.get("InResponseTo") != expected.request_id:
        raise SignInNotOurs(f"the response's InResponseTo is `{quoted(response.get('InResponseTo'))}`")
    issuers = response.findall(f"{{{SAML}}}Issuer")
    if len(issuers) > 1 or (shape.response_signed and not issuers):
        raise SamlIssuer(f"the response has {len(issuers)} issuers")
    for issuer in issuers:
        _issuer(issuer, expected.issuer)


def _issuer(issuer: etree._Element, expected: str) -> None:
    if _whole(issuer) != expected or issuer.get("Format", _ENTITY) != _ENTITY:
        raise SamlIssuer(f"the issuer is `{quoted(text(issuer))}`")


def _confirmed(
    confirmation: etree._Element, recipient: str, request_id: str | None, now: datetime
) -> datetime:
    """The bearer may use it here, now, for this request or for none (Profiles 4.1.4.3, RFC 7522 3)."""
    if confirmation.get("Method") != BEARER:
        raise SamlContent(
            f"the subject is confirmed by `{quoted(confirmation.get('Method'))}`, not as bearer"
        )
    data = _only(confirmation, "SubjectConfirmationData")
    if data.get("Recipient") != recipient:
        raise SamlDestination(f"Recipient is `{quoted(data.get('Recipient'))}`")
    if data.get("InResponseTo") != request_id:
        raise SignInNotOurs(f"the confirmation's InResponseTo is `{quoted(data.get('InResponseTo'))}`")
    if "NotBefore" in data.attrib:
        _not_early(data, "NotBefore", now)
    return _not_late(data, "NotOnOrAfter", now)


def _conditions(
    conditions: etree._Element, expected: Collection[str], now: datetime, *, alone: bool = False
) -> datetime:
    """Meant for one of `expected` (`alone`: and for nobody else), and in force now (Core 2.5)."""
    restrictions = 0
    for condition in conditions:
        if condition.tag not in _KNOWN_CONDITIONS:
            raise SamlContent(f"there is a condition that is not known here: `{quoted(str(condition.tag))}`")
        if condition.tag != f"{{{SAML}}}AudienceRestriction":
            continue
        restrictions += 1
        # Audiences of one restriction are alternatives, restrictions all hold (Core 2.5.1.4).
        audiences = [_whole(audience) for audience in condition]
        ours = [audience for audience in audiences if audience in expected]
        if not ours or (alone and ours != audiences):
            raise SamlAudience(f"the audience is `{quoted(', '.join(audiences))}`")
    if not restrictions:
        raise SamlAudience("there is no audience")
    if "NotBefore" in conditions.attrib:
        _not_early(conditions, "NotBefore", now)
    return _not_late(conditions, "NotOnOrAfter", now)


# --- times ----------------------------------------------------------------------------------------


def _instant(element: etree._Element, attribute: str) -> datetime:
    """A time in UTC, as SAML writes it (Core 1.3.3); fractions beyond a microsecond are cut."""
    written = element.get(attribute)
    match = _INSTANT.fullmatch(written or "")
    try:
        whole = datetime.fromisoformat(match[1]) if match else None
    except ValueError:
        whole = None
    if match is None or whole is None:
        raise SamlTime(f"{attribute} is `{quoted(written)}`, not a time in UTC")
    return whole.replace(microsecond=int((match[2] or "0")[:6].ljust(6, "0")), tzinfo=UTC)


def _not_early(element: etree._Element, attribute: str, now: datetime) -> datetime:
    at = _instant(element, attribute)
    if now + SKEW < at:
        raise SamlTime(f"{attribute} is {at.isoformat()}, and now is {now.isoformat()}")
    return at


def _not_late(element: etree._Element, attribute: str, now: datetime) -> datetime:
    at = _instant(element, attribute)
    if now - SKEW >= at:
        raise SamlTime(f"{attribute} was {at.isoformat()}, and now is {now.isoformat()}")
    return at


# --- content --------------------------------------------------------------------------------------


def _only(parent: etree._Element, name: str, refusal: type[SamlRefused] = SamlContent) -> etree._Element:
    found = parent.findall(f"{{{SAML}}}{name}")
    if len(found) != 1:
        raise refusal(f"there are {len(found)} {name}, not one")
    return found[0]


def _whole(element: etree._Element) -> str:
    """The whole text, or refused: `.text` of an element with parts ends at the first of them."""
    if len(element):
        raise SamlContent(f"a `{quoted(str(element.tag))}` has parts of its own")
    return text(element)


def _context(authn: etree._Element) -> str | None:
    """The class, of which the schema allows one at most; a provider may name a declaration instead."""
    reference = authn.find(f"{{{SAML}}}AuthnContext/{{{SAML}}}AuthnContextClassRef")
    return _whole(reference) if reference is not None else None


def _attributes(assertion: etree._Element, name_id: etree._Element) -> Mapping[str, tuple[str, ...]]:
    """Every attribute by its exact Name.

    Two that could be taken for one another are refused: the same Name, one that differs by case only, or one
    whose FriendlyName is another's Name or FriendlyName.
    """
    name = _whole(name_id)
    if not name.strip():
        raise SamlContent("the subject's NameID is blank")
    attributes: dict[str, tuple[str, ...]] = {NAME_ID: (name,)}
    taken = {NAME_ID.casefold()}
    for statement in assertion.findall(f"{{{SAML}}}AttributeStatement"):
        for attribute in statement.findall(f"{{{SAML}}}Attribute"):
            own = attribute.get("Name", "")
            aliases = {own.casefold(), (attribute.get("FriendlyName") or own).casefold()}
            if not own.strip() or aliases & taken:
                raise SamlContent(f"the attribute `{quoted(own)}` has no name or a twin")
            taken |= aliases
            values = attribute.findall(f"{{{SAML}}}AttributeValue")
            attributes[own] = tuple(_whole(value) for value in values)
    return attributes
