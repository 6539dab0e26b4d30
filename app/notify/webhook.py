"""The channel `webhook`: a POST of JSON to an address that a person configured."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from app.errors import ProviderFailed
from app.notify import words
from app.notify.seam import DeliveryFailed
from app.outbound import Fetcher
from app.people import Alert

TIMEOUT: Final = 10.0
"""Seconds for one delivery, from the name's lookup to the answer's end."""


class WebhookChannel:
    """Posts through the guarded fetch: checked addresses, verified TLS, nothing followed.

    The address is a secret (whoever has it can write there), so what goes wrong is told without its path.
    """

    def __init__(self, name: str, url: str, fetcher: Fetcher) -> None:
        """`fetcher`: with the deadline for one delivery."""
        self.name = name
        self._url = url
        self._fetcher = fetcher

    def __repr__(self) -> str:
        return f"<WebhookChannel {self.name}>"

    def send(self, alert: Alert) -> None:
        """Raises DeliveryFailed."""
        try:
            answer = self._fetcher.post_json(self._url, document(alert))
        except ProviderFailed as refusal:
            raise DeliveryFailed(self._shown(refusal.detail)) from None
        if not 200 <= answer.status < 300:
            raise DeliveryFailed(f"it answered with the status {answer.status}")

    def _shown(self, detail: str) -> str:
        path = urlsplit(self._url).path
        return detail if path in ("", "/") else detail.replace(path, "/…")


def document(alert: Alert) -> dict[str, object]:
    """The body. Chat services show `text`; programs read the rest."""
    return {
        "version": 1,
        "id": alert.id,
        "kind": alert.kind,
        "at": alert.at.isoformat(),
        "title": words.title(alert),
        "text": f"{words.title(alert)}\n{words.body(alert)}",
        "facts": words.facts(alert),
    }
