"""The door for people and programs that ask: the order of the steps and nothing else, one file a conversation.

    signing_in       a directory's proof → Identity → Principal → what is needed next, or a Session
    local_signing_in the same by name and password, or by a passkey alone
    rooting          break-glass: the root user's way in
    challenges       what a sign-in needs next (`needs`), asked of a browser and answered, once
    stepping_up      a signed-in person proves a factor in the middle of something
    enrolling        a device is added
    own_factors      a person's own factors, recovery codes and password
    links            one-time links: to set a password, and to set root up
    passes           Session → Decision → CredentialRequest → "asked" is durable → STS → "issued" is durable
    grants           a person lets a client in: authorization code (RFC 6749, 4.1)
    devices          the same for a device that has no browser (RFC 8628)
    redeeming        what the client was given → tokens and a session of its own
    presenting       what an app brings of its person, believed and bound to that app
    exchanging       that → a token of ours or AWS credentials (RFC 8693, RFC 7522); guests
    linking          several logins of one person in an app's pool
    bearers          access token → Session; what a token is worth, and ending it (RFC 7662, 7009)
    own_sessions     what a person is signed in with, ending it, and how they signed in

What a proof is believed to be, and what it makes of an authentication, is pure (`needs`, `proofs`, `opening_up`).
`finishing` and `proving` are steps that several conversations share, `refusals` is what is noted of a refusal within
one, `afterwards` what is done after the answer.
Every delivery (a button, the JSON API, the helper, stock AWS clients) calls this. It and `Administration` alone
write audit.
"""

from __future__ import annotations

from app.broker.bearers import Bearers
from app.broker.devices import Devices
from app.broker.exchanging import Exchanging
from app.broker.grants import Grants
from app.broker.linking import Linking
from app.broker.links import Links
from app.broker.own_sessions import OwnSessions
from app.broker.passes import Passes
from app.broker.redeeming import Redeeming
from app.broker.signing_in import PENDING_LIFE, SigningIn

__all__ = ["PENDING_LIFE", "Broker"]


class Broker(Links, Exchanging, Linking, SigningIn, Passes, Grants, Devices, Redeeming, Bearers, OwnSessions):
    """Signs people in, gives them credentials, lets their helpers in. Safe to use from many threads at once."""

    def catch_up(self) -> int:
        """Do what was left for after the answers; how much that was. The upkeep of each worker calls it."""
        return self._afterwards.run()
