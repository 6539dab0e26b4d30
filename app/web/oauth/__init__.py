"""The authorization server's endpoints: what is on the wire is read, the broker is asked, its answer is written.

    GET, POST /oauth/authorize                 RFC 6749, 3.1   a page, a click, a code
    POST /oauth/token                          RFC 6749, 3.2   a grant → tokens
                                               RFC 8693, RFC 7522   what an app brings → tokens or AWS credentials
    POST /oauth/identity/link, …/unlink        ours            several logins of one person
    POST /oauth/device_authorization           RFC 8628, 3.1   a device asks; /device is the person's page
    POST /oauth/revoke, /oauth/introspect      RFC 7009, RFC 7662
    GET /oauth/jwks                            RFC 7517
    GET /.well-known/oauth-authorization-server  RFC 8414

Whether a client, a grant or a token is good is decided in `tokens` and recorded by the broker.
"""

from app.web.oauth.authorize import ask_consent, decide
from app.web.oauth.client import named
from app.web.oauth.devices import begin_device
from app.web.oauth.identity import link, unlink
from app.web.oauth.metadata import jwks, metadata
from app.web.oauth.refusals import refused
from app.web.oauth.token import introspect, revoke, token

__all__ = [
    "ask_consent",
    "begin_device",
    "decide",
    "introspect",
    "jwks",
    "link",
    "metadata",
    "named",
    "refused",
    "revoke",
    "token",
    "unlink",
]
