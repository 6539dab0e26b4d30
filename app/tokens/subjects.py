"""What a person is called towards clients: opaque, the same for ever, and no address of theirs."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache

from app.model import Identity


def subject_of(identity: Identity) -> str:
    """`sub` (RFC 9068, 2.2): 43 characters of base64url, made of source and subject, which are the person."""
    return _subject(identity.source, identity.subject)


# One request asks several times.
@lru_cache(maxsize=256)
def _subject(source: str, subject: str) -> str:
    framed = json.dumps(["token subject", source, subject])
    return base64.urlsafe_b64encode(hashlib.sha256(framed.encode()).digest()).rstrip(b"=").decode()
