"""`clients/NAME.yaml`: an OAuth client, a helper or app that people let in, or that brings its people's tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from app.configuration import addresses
from app.configuration.fields import (
    SOURCE_ID,
    Label,
    RoleArnText,
    RoleDuration,
    Strict,
    one_line,
    one_of,
    pattern,
)
from app.configuration.places import Place
from app.configuration.problems import Problems
from app.configuration.references import Referable, Wrong
from app.configuration.rules import check_unique
from app.configuration.typed import Entry, Reader
from app.model import DEVICE_CODE, EXCHANGE, LONGEST, SCOPES, Client, GrantType, RoleArn, SourceId

GRANTS: Final[Mapping[str, GrantType]] = {
    "code": "authorization_code",
    "device": DEVICE_CODE,
    "refresh": "refresh_token",
    "exchange": EXCHANGE,
}
"""As the file names them: as the wire does (RFC 6749, 4.1.3 and 6; RFC 8628, 3.4; RFC 8693, 2.1, and RFC 7522, 2.1)."""

CLI: Final = Client(
    id="cli",
    name="daypass command line",
    grants=frozenset({"authorization_code", DEVICE_CODE, "refresh_token"}),
    redirect_uris=("http://127.0.0.1/callback",),
)
"""The helper's own, in every revision; `clients/cli.yaml` takes its place."""

_LONGEST: Final = 2_048
_URI: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()+,;=%-]+")
"""RFC 3986 without `#` and `*`: compared character by character, so nothing in it may mean something."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_OURS: Final = frozenset({"code", "error", "error_description", "iss", "state"})
"""Parameters that the answer adds; one that is there already would come twice (RFC 6749, 3.1)."""
_FORMS: Final = "`https://…`, `com.example.app:/callback`, or `http://127.0.0.1/callback` for a program there"
_SECRET: Final = re.compile(r"[!-~]{22,512}")


def _redirect_uri(text: str) -> str:
    """A check: where the answer may be sent (RFC 9700, 2.1 and 4.1; RFC 8252, 7)."""
    if len(text) > _LONGEST:
        raise Wrong(f"has {len(text)} characters; at most {_LONGEST}")
    if "*" in text:
        raise Wrong("holds a `*`; there are no wildcards, an address is compared as a whole: name each one")
    if "#" in text:
        raise Wrong("a redirect address has no `#` part (RFC 6749, 3.1.2)")
    if not _URI.fullmatch(text):
        raise Wrong(f"expected {_FORMS}; only the characters of a URL (RFC 3986)")
    scheme, colon, rest = text.partition(":")
    if not colon or scheme != scheme.lower():
        raise Wrong(f"expected {_FORMS}; the scheme in lower case")
    if scheme in {"http", "https"}:
        _web(text)
    else:
        _private(scheme, rest)
    named = {part.partition("=")[0] for part in text.partition("?")[2].split("&")}
    if named & _OURS:
        raise Wrong(f"has a parameter that the answer brings itself: `{min(named & _OURS)}`; take it out")
    return text


def _web(text: str) -> None:
    address = addresses.read(text)
    if address.host == "localhost" or address.host.endswith(".localhost"):
        # RFC 8252, 8.3: what that name leads to is up to the machine.
        raise Wrong("`localhost` may lead elsewhere; write `http://127.0.0.1/…` or `http://[::1]/…`")
    if address.where == "closed":
        raise Wrong("link-local, metadata, multicast and unspecified addresses are never sent to")
    if address.scheme == "http" and address.host not in {"127.0.0.1", "::1"}:
        raise Wrong(
            "expected `https://`; `http://` is for `127.0.0.1` and `[::1]` alone, a program on the person's machine"
        )


def _private(scheme: str, rest: str) -> None:
    """RFC 8252, 7.1: the name of a domain that the app's maker holds, backwards; so it has a dot."""
    if not _SCHEME.fullmatch(scheme):
        raise Wrong(f"expected {_FORMS}; an app's own scheme is a domain backwards, so it has a dot")
    if not rest.startswith("/"):
        raise Wrong(f"expected a slash behind the scheme: `{scheme[:64]}:/callback`")
    if "@" in rest:
        raise Wrong("a redirect address has no user name or password in it")


def _origin(text: str) -> str:
    """A check: a page's origin as its browser writes it (RFC 6454, 6.2), since the two are compared as a whole."""
    if "*" in text:
        raise Wrong("holds a `*`; there are no wildcards, an origin is compared as a whole: name each one")
    return addresses.base_url(text)


def _secret(text: str) -> str:
    """A check: RFC 6749, appendix A.2 without the blank; as long as 128 random bits are in base64 (10.10)."""
    if not _SECRET.fullmatch(text):
        raise Wrong(
            "expected 22 to 512 printable ASCII characters without blanks; "
            '`python -c "import secrets; print(secrets.token_urlsafe(32))"` makes one'
        )
    return text


RedirectUri = Annotated[
    str, Referable(_redirect_uri, {"type": "string", "pattern": r"^[a-z][a-z0-9+.-]*:/[^*#\s]*$"})
]
GrantName = Annotated[str, Referable(one_of(*GRANTS), {"enum": list(GRANTS)})]
ScopeName = Annotated[str, Referable(one_of(*SCOPES), {"enum": list(SCOPES)})]
ClientSecret = Annotated[str, Referable(_secret, {}, secret=True)]
Pool = Annotated[
    str,
    Referable(
        pattern(SOURCE_ID, "a pool's name: 1 to 32 of `a-z0-9-`"),
        {"type": "string", "pattern": f"^{SOURCE_ID.pattern}$"},
    ),
]
PageOrigin = Annotated[str, Referable(_origin, {"type": "string", "pattern": "^https?://[^/*]+$"})]
SourceKey = Annotated[
    str,
    Referable(
        pattern(SOURCE_ID, "a provider's id: 1 to 32 of `a-z0-9-`"),
        {"type": "string", "pattern": f"^{SOURCE_ID.pattern}$"},
        key=True,
    ),
]
Audience = Annotated[str, Referable(one_line(1024), {"type": "string", "minLength": 1, "maxLength": 1024})]
SubjectTokens = Annotated[
    Literal["reuse", "once"],
    Referable(one_of("reuse", "once"), {"enum": ["reuse", "once"]}, stand_in="reuse"),
]


class ClientFile(Strict):
    """An OAuth client."""

    name: Label = Field(description="what people are shown when they are asked to let it in")
    grants: list[GrantName] = Field(
        description="how it may ask: `code` (in a browser, with PKCE), `device`, `refresh` beside one of them, and "
        "`exchange`: it brings tokens of its people"
    )
    redirect_uris: list[RedirectUri] = Field(
        default_factory=list,
        description="where `code` may send the answer, compared as a whole; of `http://127.0.0.1/…` without a port "
        "any port will do",
    )
    scopes: list[ScopeName] = Field(
        default_factory=lambda: [*map(str, SCOPES)],
        description="the widest it may ask for: `roles`, `credentials`",
    )
    secret: ClientSecret | None = Field(
        default=None,
        description="a reference; leave it out for a client that cannot keep one, as on people's machines",
    )
    accepts: dict[SourceKey, list[Audience]] = Field(
        default_factory=dict,
        description="source: the app's own ids there, or SAML audiences; tokens made for anything else are refused",
    )
    pool: Pool | None = Field(
        default=None,
        description="clients of one pool know a person by the same identity; the client's own id unless said",
    )
    origins: list[PageOrigin] = Field(
        default_factory=list,
        description="where pages are from that may call as this client: `https://photos.example`",
    )
    guests: bool = Field(
        default=False, description="let people in who have not signed in, as guests: `app/CLIENT/guests`"
    )
    credentials: RoleDuration = Field(
        default=LONGEST, description="the longest time that AWS credentials live which it is given, 15m to 1h"
    )
    roles: list[RoleArnText] | None = Field(
        default=None, description="the only roles that it is ever given, by ARN, first choice first"
    )
    subject_tokens: SubjectTokens = Field(
        default="reuse",
        description="`once`: a token that it brings is taken a single time; `reuse`: until it ends",
    )


def read(place: Place, reader: Reader) -> Entry[ClientFile] | None:
    """A client's file."""
    return reader.read(ClientFile, place)


def check(entry: Entry[ClientFile], problems: Problems) -> None:
    """What the file's values must be to one another."""
    file, place = entry.value, entry.place
    named = set(file.grants)
    if not file.grants:
        problems.add(place, ("grants",), "is empty; expected at least one of `code`, `device` and `exchange`")
    elif named == {"refresh"}:
        problems.add(
            place, ("grants",), "`refresh` alone begins nothing; expected `code` or `device` beside it"
        )
    elif named == {"refresh", "exchange"} and not file.guests:
        words = (
            "`refresh` is for `code`, `device` and guests: for a new token the app brings its person's anew"
        )
        problems.add(place, ("grants", file.grants.index("refresh")), words, level="warning")
    if "code" in named and not file.redirect_uris and place.find(("redirect_uris",)) is None:
        problems.add(
            place, ("redirect_uris",), "is missing; the grant `code` needs where to send the answer", on="key"
        )
    elif "code" in named and not file.redirect_uris:
        problems.add(place, ("redirect_uris",), "is empty; the grant `code` needs where to send the answer")
    if file.redirect_uris and named and not named & {"code", ""}:
        problems.add(
            place, ("redirect_uris",), "is for the grant `code`, which `grants` does not name", on="key"
        )
    if not file.scopes:
        problems.add(place, ("scopes",), "is empty; leave it out for all, or name `roles` or `credentials`")
    for key, values in (
        ("grants", file.grants),
        ("redirect_uris", file.redirect_uris),
        ("scopes", file.scopes),
        ("origins", file.origins),
        ("roles", file.roles or ()),
    ):
        check_unique(values, place, (key,), problems)


def check_names(entries: Mapping[str, Entry[ClientFile]], problems: Problems) -> None:
    """No two clients look alike to those who are asked to let them in."""
    taken = {} if CLI.id in entries else {_folded(CLI.name): CLI.id}
    for id, entry in entries.items():
        if not entry.value.name:
            continue
        other = taken.setdefault(_folded(entry.value.name), id)
        if other != id:
            words = f"is also the name of the client `{other}`; people could not tell the two apart"
            problems.add(entry.place, ("name",), words)


def client(id: str, file: ClientFile) -> Client:
    """The file as the rest of the program takes it."""
    grants = frozenset(GRANTS[name] for name in file.grants if name)
    return Client(
        id=id,
        name=file.name,
        grants=grants,
        redirect_uris=tuple(file.redirect_uris),
        scopes=tuple(scope for scope in SCOPES if scope in file.scopes),
        secret=file.secret,
        accepts={SourceId(source): tuple(audiences) for source, audiences in file.accepts.items()},
        pool=file.pool or (id if EXCHANGE in grants else ""),
        origins=tuple(file.origins),
        guests=file.guests,
        credentials=file.credentials,
        roles=None if file.roles is None else tuple(map(RoleArn, file.roles)),
        once=file.subject_tokens == "once",
    )


def clients(entries: Mapping[str, Entry[ClientFile]]) -> Mapping[str, Client]:
    """Every client of a revision by id: those of files, and the helper's own."""
    found = {id: client(id, entry.value) for id, entry in entries.items()}
    return dict(sorted({CLI.id: CLI, **found}.items()))


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
