"""Starting a sign-in, and telling the other side who we are."""

from __future__ import annotations

from app.model import SignInAsk
from app.web import cookies, forms, paths
from app.web.page import see_other
from app.web.visit import Visit
from app.web.wire import Response


def start(visit: Visit, source: str) -> Response:
    """`GET /sign-in/PROVIDER?next=PATH`: off to the source, this browser remembered.

    Raises:
        SourceUnknown, ProviderFailed, TooMany, Malformed.
    """
    target = paths.own_path(forms.query(visit.request, ("next",)).get("next"))
    # One secret for all tabs: the second tab must not make the first one's answer a stranger's.
    secret = cookies.browser_secret(visit.request, visit.settings) or cookies.new_browser_secret()
    outbound = visit.broker.begin(source, SignInAsk(next=target, browser=secret), caller=visit.caller)
    response = see_other(outbound.url)
    cookies.set_browser(response, visit.settings, secret)
    return response


def metadata(visit: Visit, source: str) -> Response:
    """`GET /saml/PROVIDER/metadata`: our service provider metadata; its address is our entity ID.

    Raises:
        SourceUnknown, Unknown.
    """
    known = visit.broker.metadata(source)
    return Response(known.body, content_type=known.content_type)
