"""What clients may know of this server before they ask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from app.model import SCOPES
from app.web.oauth import client
from app.web.oauth.token import GRANT_TYPES
from app.web.visit import Visit
from app.web.wire import Response

# Keys are published a day before they sign (`tokens`), so a copy that is five minutes old lacks none.
_A_WHILE: Final = "public, max-age=300"


def metadata(visit: Visit) -> Response:
    """`GET /.well-known/oauth-authorization-server` (RFC 8414, 3)."""
    return _json(document(visit.settings.base_url))


def jwks(visit: Visit) -> Response:
    """`GET /oauth/jwks`: the public keys of access tokens (RFC 7517, 5). Raises Unavailable."""
    response = _json(visit.broker.signing_keys())
    response.content_type = "application/jwk-set+json"
    return response


def document(issuer: str) -> Mapping[str, object]:
    """RFC 8414, 2; RFC 8628, 4; RFC 9207, 3. The `identity_…` endpoints are ours."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "device_authorization_endpoint": f"{issuer}/oauth/device_authorization",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "identity_link_endpoint": f"{issuer}/oauth/identity/link",
        "identity_unlink_endpoint": f"{issuer}/oauth/identity/unlink",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(client.METHODS),
        "revocation_endpoint_auth_methods_supported": list(client.METHODS),
        "introspection_endpoint_auth_methods_supported": [each for each in client.METHODS if each != "none"],
        "authorization_response_iss_parameter_supported": True,
    }


def _json(body: object) -> Response:
    response = Response(json.dumps(body), content_type="application/json")
    response.headers["Cache-Control"] = _A_WHILE
    return response
