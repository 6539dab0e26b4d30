"""The container credentials endpoint: `AWS_CONTAINER_CREDENTIALS_FULL_URI` with its token.

Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
"""

from __future__ import annotations

import hmac
import json

from daypass.serve import local
from daypass.serve.control import Control
from daypass.serve.holder import Holder, Unavailable

PATH = "/role"
"""Always the same one: whoever has the address follows each switch."""


def handler(holder: Holder, token: str, control: Control) -> type[local.Handler]:
    """Answers `GET /role` to whoever has the token; what is below `/control/` goes to `control`."""

    class Container(local.Handler):
        def answers(self, method: str, path: str) -> None:
            given = local.only(self.headers, "Authorization")
            if path.startswith("/control/"):
                body = self.document() if method == "POST" else {}
                self.reply(*control.answer(method, path, given, body))
                return
            if not hmac.compare_digest(given.encode("latin-1", "replace"), token.encode()):
                raise local.Refused(
                    401, "The token in AWS_CONTAINER_AUTHORIZATION_TOKEN is missing or another one's."
                )
            if path != PATH:
                raise local.Refused(404, f"Credentials are at {PATH}.")
            if method != "GET":
                raise local.Refused(405, "Credentials are asked for by GET.")
            self.reply(200, credentials(holder))

    return Container


def credentials(holder: Holder) -> str:
    """The answer's body. Raises Refused (503) where there is nothing to give."""
    try:
        held = holder.current()
    except Unavailable as error:
        raise local.Refused(503, str(error)) from None
    return json.dumps(
        {
            "RoleArn": held.arn,
            "AccessKeyId": held.given.access_key_id,
            "SecretAccessKey": held.given.secret_access_key,
            "Token": held.given.session_token,
            "Expiration": held.given.expiration,
            "AccountId": held.given.account,
        }
    )
