"""The channel `log`: a line in the operator's log."""

from __future__ import annotations

import json
import logging
from typing import Final

from app.people import Alert

_LOG: Final = logging.getLogger("daypass.alerts")


class LogChannel:
    """Writes each alert as a warning of the logger `daypass.alerts`."""

    name = "log"

    def send(self, alert: Alert) -> None:
        """Never fails."""
        fields = {
            "alert": alert.id,
            "kind": alert.kind,
            "at": alert.at.isoformat(timespec="seconds"),
            "title": alert.title,
            "text": alert.text,
            "facts": json.dumps(dict(alert.facts)),
        }
        _LOG.warning("alert", extra=fields)
