"""The browser legs of SAML and OpenID Connect: start, the answer, our metadata.

    GET /sign-in/corp → 303 to the directory → POST /saml/corp/acs        → session cookie, 303 to `next`
    GET /sign-in/acme → 303 to the provider  → GET /oidc/acme/callback    → session cookie, 303 to `next`

Here things are only taken off the wire. Whether they are believed is decided in `signin`.
"""

from app.web.relying_party.answers import acs, callback
from app.web.relying_party.start import metadata, start

__all__ = ["acs", "callback", "metadata", "start"]
