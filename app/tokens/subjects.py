"""What a person is called towards clients: opaque, the same for ever, and no address of theirs."""

from __future__ import annotations

import base64
import hashlib
import json

from app.model import Identity


def subject_of(identity: Identity) -> str:
    """`sub` (RFC 9068, 2.2): 43 characters of base64url, made of source and subject, which are the person."""
    framed = json.dumps(["token subject", identity.source, identity.subject])
    return base64.urlsafe_b64encode(hashlib.sha256(framed.encode()).digest()).rstrip(b"=").decode()
