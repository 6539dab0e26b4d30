"""Signature Version 4 on a form that is posted to STS, by the SDK's own signer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from app.aws.chain import Keys

FORM = "application/x-www-form-urlencoded; charset=utf-8"


class _Signer(SigV4Auth):  # type: ignore[misc]
    """The SDK's signer at a given instant, without its debug records (they hold the session token)."""

    def __init__(self, keys: Keys, region: str, at: datetime) -> None:
        credentials = ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
        super().__init__(credentials, "sts", region)
        self._stamp = at.strftime("%Y%m%dT%H%M%SZ")

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._stamp
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))


def signed(keys: Keys, region: str, url: str, body: bytes, at: datetime) -> Mapping[str, str]:
    """Headers for a POST of this form; `at` is the present instant, in UTC."""
    request = AWSRequest(method="POST", url=url, data=body, headers={"Content-Type": FORM})
    _Signer(keys, region, at).add_auth(request)
    return dict(request.headers.items())
