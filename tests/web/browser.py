"""A browser without a screen, for an application in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.test import Client, TestResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Browser(Client):
    """Werkzeug's test client, that says the same of itself with every request."""

    def __init__(self, app: WSGIApplication, base: str, agent: str = "tests/1") -> None:
        super().__init__(app)
        scheme, _, host = base.partition("://")
        self._said = {
            "HTTP_HOST": host,
            "wsgi.url_scheme": scheme,
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_USER_AGENT": agent,
        }

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """A request; what it says itself stands before what is always said."""
        return super().open(*args, environ_base=self._said, **kwargs)
