"""Several logins of one person in a pool: joined and parted, by proof of each, and never by an e-mail address.

    POST /oauth/identity/link     subject_token …, link_token …   a second login for the first one's identity
    POST /oauth/identity/unlink   subject_token …, source         a login less, never the last

Only the sources are told, not who somebody is there: another app of the pool may have brought that login.
"""

from __future__ import annotations

from typing import Final

from app.model import PoolIdentity
from app.web.oauth import answers, client, parameters, subjects
from app.web.visit import Visit
from app.web.wire import Response

_LINK: Final = (*client.FIELDS, *subjects.names("subject"), *subjects.names("link"))
_UNLINK: Final = (*client.FIELDS, *subjects.names("subject"), "source")


def link(visit: Visit) -> Response:
    """`POST /oauth/identity/link`: both tokens prove at once that the two logins are one person's.

    Raises:
        GrantError and its kin, LoginTaken, and what the broker raises of exchanges.
    """
    fields = parameters.of_form(visit.request, _LINK)
    shown = client.proof(visit.request, fields)
    first, second = subjects.token(fields), subjects.token(fields, "link")
    return _told(visit.broker.link(shown, first, second, caller=visit.caller))


def unlink(visit: Visit) -> Response:
    """`POST /oauth/identity/unlink`: the token proves the identity, `source` is the login to take away.

    Raises:
        GrantError and its kin, LoginNeeded, and what the broker raises of exchanges.
    """
    fields = parameters.of_form(visit.request, _UNLINK)
    shown, proof = client.proof(visit.request, fields), subjects.token(fields)
    source = parameters.needed(fields, "source")
    return _told(visit.broker.unlink(shown, proof, source, caller=visit.caller))


def _told(identity: PoolIdentity) -> Response:
    sources = list(dict.fromkeys(source for source, _ in identity.logins))
    return answers.json_of({"identity_id": identity.id, "logins": sources})
