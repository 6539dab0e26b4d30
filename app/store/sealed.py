"""Documents that only we can read and write."""

from __future__ import annotations

import logging
from typing import Final

from app.errors import Unavailable
from app.sealing import Sealer, has_name
from app.store.codec import Document, dump, load, read

_LOG: Final = logging.getLogger("daypass.store")


class Sealed:
    """Seals documents for one row each, so that a sealed text moved to another row is worth nothing."""

    def __init__(self, sealer: Sealer, kind: str) -> None:
        """`kind`: the table, part of the row's name."""
        self._sealer = sealer
        self._kind = kind

    def close(self, row: str, document: Document) -> str:
        """The document as sealed text for the row of that key."""
        return self._sealer.seal(dump(document).encode("ascii"), f"{self._kind}/{row}")

    def open(self, row: str, text: str) -> Document | None:
        """The document; None if it cannot be opened or belongs to another row.

        Such a row counts as not there: its owner signs in again, and the operator reads why in the log.
        """
        name = f"{self._kind}/{row}"
        try:
            if has_name(text):
                # Ours, as the seal says: there is nothing after the document.
                document: Document = read(self._sealer.open(text, name).decode("ascii"))[0]
                return document
            # Sealed before a seal covered the row's name: that is within. Such rows open for ever.
            envelope = load(self._sealer.open_nameless(text).decode("ascii"))
        except Unavailable as refusal:
            _LOG.warning("a row cannot be read", extra={"kind": self._kind, "why": refusal.detail})
            return None
        if envelope["row"] != name:
            _LOG.warning(
                "a row cannot be read", extra={"kind": self._kind, "why": "it was sealed for another row"}
            )
            return None
        sealed_in: Document = envelope["document"]
        return sealed_in
