"""AWS credentials as `credential_process` takes them, in whichever answer they stand."""

from __future__ import annotations

from app.model import Credentials
from app.web import times


def members(given: Credentials) -> dict[str, object]:
    """AWS SDKs and Tools Reference Guide, "Process credential provider"."""
    return {
        "Version": 1,
        "AccessKeyId": given.access_key_id,
        "SecretAccessKey": given.secret_access_key,
        "SessionToken": given.session_token,
        "Expiration": times.wire(given.expiration),
        "AccountId": given.account,
    }
