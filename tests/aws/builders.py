"""Requests to STS with valid defaults; a test names only what matters to it."""

from datetime import timedelta
from typing import Any

from app.model import CredentialRequest, Role, RoleArn
from demo.aws.accounts import EXTERNAL_ID

ADMIN = "arn:aws:iam::111122223333:role/Admin"
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
HUB = "arn:aws:iam::111122223333:role/Hub"
DEVELOPER = "arn:aws:iam::444455556666:role/Developer"
ISSUER = "http://localhost:8000/sign-in"


def role(arn: str = ADMIN, **changes: Any) -> Role:
    return Role(
        arn=RoleArn(arn), account=arn.split(":")[4], account_name="a", name=arn.rsplit("/", 1)[1], **changes
    )


def request(arn: str = ADMIN, **changes: Any) -> CredentialRequest:
    external_id = changes.pop("external_id", None)
    seconds = changes.pop("seconds", 900)
    defaults: dict[str, Any] = {
        "role": role(arn, external_id=external_id),
        "duration": timedelta(seconds=seconds),
        "session_name": "ana-5d41402a",
        "source_identity": "corp.ana",
    }
    return CredentialRequest(**{**defaults, **changes})


def sandbox(**changes: Any) -> CredentialRequest:
    """The role that is reached through the hub."""
    return request(DEVELOPER, **{"external_id": EXTERNAL_ID, "hops": (role(HUB),), **changes})
