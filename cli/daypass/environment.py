"""The variables that `exec` and `env` set, and those they take away. The prelude sets the same ones for `exec`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daypass.credentials import Pass

CLEARED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN")
"""A profile would win over keys in some SDKs; the last is the session token's old name."""
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION")
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def variables(given: Pass, region: str = "") -> dict[str, str]:
    """What to set; `region` (of the configuration) only where it is there."""
    values = (given.access_key_id, given.secret_access_key, given.session_token, given.expiration)
    return {**dict(zip(KEYS, values)), **(dict.fromkeys(REGIONS, region) if region else {})}
