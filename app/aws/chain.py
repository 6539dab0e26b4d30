"""The broker's own AWS credentials, from the AWS SDK's chain and from nowhere else.

Environment, shared files and profiles, web identity, container, instance: whatever the SDK finds
(botocore, "Credentials" in the boto3 guide). The chain may read files, start a process or ask a
metadata service, none of which has a deadline that we could rely on: it gets one here.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError
from botocore.session import Session

from app.aws.deadline import Deadline, Late, begin, wait
from app.aws.quiet import hush
from app.errors import StsFailed

_MISSING = (
    "the AWS SDK's chain found no credentials for the broker (environment, shared files, web identity, "
    "container, instance)"
)


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs a request."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @property
    def temporary(self) -> bool:
        """True for credentials that STS gave."""
        return bool(self.session_token)


class Chain:
    """The SDK's chain with a deadline. Safe to use from many threads."""

    def __init__(self, region: str, *, timeout: float) -> None:
        hush()
        self._region = region
        # For profiles that assume a role: the SDK's own calls to STS on the way.
        self._config = Config(
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"total_max_attempts": 2, "mode": "standard"},
            proxies={},
        )
        self._lock = Lock()
        self._credentials: Any = None
        self._under_way: Future[Keys] | None = None

    def keys(self, deadline: Deadline) -> Keys:
        """The present credentials, refreshed where they expire. Raises StsFailed."""
        credentials = self._credentials
        if credentials is not None and not _refresh_needed(credentials):
            return _frozen(credentials)
        with self._lock:
            if self._under_way is None or self._under_way.done():
                self._under_way = begin(self._load)
            under_way = self._under_way
        try:
            return wait(under_way, deadline)
        except Late:
            raise StsFailed("the AWS SDK's credential chain did not answer in time") from None
        except Exception as error:  # noqa: BLE001  # the chain runs others' code and raises all sorts
            raise _failed(error) from None

    def forget(self, keys: Keys) -> None:
        """AWS does not take these: the next ask reads the chain anew (a rotated key is picked up)."""
        with self._lock:
            credentials = self._credentials
            if credentials is not None and _frozen(credentials) == keys:
                self._credentials = None

    def _load(self) -> Keys:
        credentials = self._credentials
        if credentials is None:
            session = Session()
            session.set_default_client_config(self._config)
            if session.get_config_variable("region") is None:
                session.set_config_variable("region", self._region)
            credentials = session.get_credentials()
            if credentials is None:
                raise StsFailed(_MISSING)
        keys = _frozen(credentials)
        if not keys.access_key_id or not keys.secret_access_key:
            raise StsFailed("the AWS SDK's chain gave credentials without a key or without a secret")
        self._credentials = credentials
        return keys


def _refresh_needed(credentials: Any) -> bool:
    ask = getattr(credentials, "refresh_needed", None)
    return ask is not None and bool(ask())


def _frozen(credentials: Any) -> Keys:
    found = credentials.get_frozen_credentials()
    return Keys(found.access_key or "", found.secret_key or "", found.token or None)


def _failed(error: Exception) -> StsFailed:
    if isinstance(error, StsFailed):
        return StsFailed(error.detail)
    kind = type(error).__name__
    # The SDK's own words name files and profiles and help; but where they quote what a process or a
    # service answered, a credential may be in them.
    if isinstance(error, CredentialRetrievalError):
        provider = error.kwargs.get("provider", "unknown")
        return StsFailed(f"the AWS SDK's chain failed: {kind} in provider {provider}")
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "unknown")
        return StsFailed(f"the AWS SDK's chain failed: {kind} {code} in {error.operation_name}")
    if isinstance(error, BotoCoreError):
        return StsFailed(f"the AWS SDK's chain failed: {kind}: {error}")
    return StsFailed(f"the AWS SDK's chain failed: {kind}")
