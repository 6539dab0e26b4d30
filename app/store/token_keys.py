"""The keys that sign access tokens, sealed; changed by one host at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, delete, select

from app.sealing import Sealer
from app.store.database import Database, Serial
from app.store.sealed import Sealed
from app.store.tables import TOKEN_KEYS
from app.tokens.seam import Change, KeptKey

_ALL: Final = select(TOKEN_KEYS).order_by(TOKEN_KEYS.c.signs_from, TOKEN_KEYS.c.made_at, TOKEN_KEYS.c.kid)
_LOG: Final = logging.getLogger("daypass.store")


class TokenKeys:
    """Fits `tokens.TokenKeys`. A row that cannot be opened counts as not there."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "token keys")

    def all(self) -> Sequence[KeptKey]:
        """Every key that can be read, by `signs_from`."""
        with self._database.read() as connection:
            return self._read(connection)

    def change(self, plan: Callable[[Sequence[KeptKey]], Change]) -> Sequence[KeptKey]:
        """Let `plan` see the keys and say what changes, while nobody else can; the keys after that."""
        with self._database.write(Serial.TOKEN_KEYS) as connection:
            keys = self._read(connection)
            wanted = plan(keys)
            for kid in wanted.drop:
                connection.execute(delete(TOKEN_KEYS).where(TOKEN_KEYS.c.kid == kid))
            for key in wanted.add:
                connection.execute(TOKEN_KEYS.insert(), self._row(key))
            if not (wanted.add or wanted.drop):
                return keys
            _LOG.info(
                "signing keys changed",
                extra={"added": [key.kid for key in wanted.add], "dropped": list(wanted.drop)},
            )
            return self._read(connection)

    def _read(self, connection: Connection) -> list[KeptKey]:
        keys = []
        for row in connection.execute(_ALL):
            name = f"{row.kid}/{row.made_at.isoformat()}/{row.signs_from.isoformat()}"
            document = self._sealed.open(name, row.document)
            if document is not None:
                keys.append(KeptKey(row.kid, row.made_at, row.signs_from, document["private"]))
        return keys

    def _row(self, key: KeptKey) -> dict[str, object]:
        name = f"{key.kid}/{key.made_at.isoformat()}/{key.signs_from.isoformat()}"
        return {
            "kid": key.kid,
            "made_at": key.made_at,
            "signs_from": key.signs_from,
            "document": self._sealed.close(name, {"private": key.private}),
        }
