"""tokens: what the authorization server hands out, and how each is made, checked, rotated and ended.

    redirects, pkce, user_codes     rules, pure
    seam                            what the store must remember, as Protocols
    rotation                        when which key signs, pure
    keys                            the signing keys in memory
    access, subjects                access tokens: signed, read; what they call a person

No wire here: `web/oauth/` parses and renders, the broker decides and records.
"""

from app.tokens.access import AccessTokens, new_token_id, whole
from app.tokens.keys import SigningKeys
from app.tokens.seam import (
    CODE_LIFE,
    DEVICE_LIFE,
    GRACE,
    POLL_INTERVAL,
    AccessClaims,
    Approved,
    Change,
    CodeGrant,
    Codes,
    DeviceGrant,
    DeviceGrants,
    Held,
    KeptKey,
    NotYet,
    RefreshTokens,
    Reused,
    Rotated,
    TokenKeys,
)
from app.tokens.subjects import subject_of

__all__ = [
    "CODE_LIFE",
    "DEVICE_LIFE",
    "GRACE",
    "POLL_INTERVAL",
    "AccessClaims",
    "AccessTokens",
    "Approved",
    "Change",
    "CodeGrant",
    "Codes",
    "DeviceGrant",
    "DeviceGrants",
    "Held",
    "KeptKey",
    "NotYet",
    "RefreshTokens",
    "Reused",
    "Rotated",
    "SigningKeys",
    "TokenKeys",
    "new_token_id",
    "subject_of",
    "whole",
]
