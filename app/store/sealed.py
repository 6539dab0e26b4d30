"""Documents that only we can read and write."""

from __future__ import annotations

import logging
from typing import Final

from app.errors import Unavailable
from app.sealing import Sealer
from app.store.codec import Document, dump, load

_LOG: Final = logging.getLogger("daypass.store")


class Sealed:
    """Seals documents for one row each, so that a sealed text moved to another row is worth nothing."""

    def __init__(self, sealer: Sealer, kind: str) -> None:
        """`kind`: the table, part of the row's name."""
        self._sealer = sealer
        self._kind = kind

    def close(self, row: str, document: Document) -> str:
        """The document as sealed text for the row of that key."""
        return self._sealer.seal(dump({"row": f"{self._kind}/{row}", "document": document}).encode("ascii"))

    def open(self, row: str, text: str) -> Document | None:
        """The document; None if it cannot be opened or belongs to another row.

        Such a row counts as not there: its owner signs in again, and the operator reads why in the log.
        """
        try:
            envelope = load(self._sealer.open(text).decode("ascii"))
        except Unavailable as refusal:
            _LOG.warning("a row cannot be read", extra={"kind": self._kind, "why": refusal.detail})
            return None
        if envelope["row"] != f"{self._kind}/{row}":
            _LOG.warning(
                "a row cannot be read", extra={"kind": self._kind, "why": "it was sealed for another row"}
            )
            return None
        document: Document = envelope["document"]
        return document
