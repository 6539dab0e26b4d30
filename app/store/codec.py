"""How values are kept in documents and digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from json import encoder
from typing import Any, Final

from app.jsontext import writer
from app.model import Authentication, Identity, SourceId
from app.store.times import from_micros, to_micros

Document = Mapping[str, Any]


# ASCII throughout: a lone surrogate or a NUL that a directory sent is no trouble for any engine.
dump: Final = writer(separators=(",", ":"), sort_keys=True)
load: Final = json.JSONDecoder().decode
read: Final = json.JSONDecoder().raw_decode
"""As `load`, but gives the document and where it ends, instead of looking at what is after it."""
_quoted: Final[Callable[[str], str]] = encoder.encode_basestring_ascii


def digest(*parts: str) -> str:
    """SHA-256 (hex) of several texts, so framed that no two lists of parts collide: as `dump` has a list."""
    return hashlib.sha256(f"[{','.join(map(_quoted, parts))}]".encode("ascii")).hexdigest()


@lru_cache(maxsize=1024)
def person_key(source: str, subject: str) -> str:
    """Under what a person is kept: the pair (source, subject) is the person."""
    return digest("person", source, subject)


def findable(text: str, bound: int = 64) -> bool:
    """Whether a name given by a stranger can be one of ours: short, ASCII, printable."""
    return len(text) <= bound and text.isascii() and text.isprintable()


def dump_authentication(how: Authentication) -> Document:
    """As a document."""
    return {
        "at": to_micros(how.at),
        "methods": how.methods,
        "context": how.context,
        "mfa_at": None if how.mfa_at is None else to_micros(how.mfa_at),
        "phishing_resistant": how.phishing_resistant,
        "enrolled_at": None if how.enrolled_at is None else to_micros(how.enrolled_at),
    }


def load_authentication(document: Document) -> Authentication:
    """And back."""
    mfa_at = document["mfa_at"]
    enrolled_at = document.get(
        "enrolled_at"
    )  # absent in rows from before there were factors of the broker's own
    return Authentication(
        at=from_micros(document["at"]),
        methods=tuple(document["methods"]),
        context=document["context"],
        mfa_at=None if mfa_at is None else from_micros(mfa_at),
        phishing_resistant=document["phishing_resistant"],
        enrolled_at=None if enrolled_at is None else from_micros(enrolled_at),
    )


def dump_claims(identity: Identity) -> Document:
    """An identity without its authentication: what stays the same from sign-in to sign-in."""
    return {
        "source": identity.source,
        "subject": identity.subject,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "groups": identity.groups,
        "claims": dict(identity.claims),
    }


def load_identity(claims: Document, authentication: Authentication) -> Identity:
    """And back, with an authentication."""
    return Identity(
        source=SourceId(claims["source"]),
        subject=claims["subject"],
        username=claims["username"],
        name=claims["name"],
        email=claims["email"],
        groups=tuple(claims["groups"]),
        claims={name: tuple(values) for name, values in claims["claims"].items()},
        authentication=authentication,
    )
