"""Encryption at rest under the broker's own keys: Fernet (AES-128-CBC with HMAC-SHA-256), with rotation.

Seals what the store must remember and no reader of a database copy may use: session documents, OIDC
verifiers and nonces. A seal says that we wrote the bytes, not for which row: what is sealed names its
own row, and the reader compares.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.errors import Unavailable


class Sealer:
    """Seals under the first key, opens under any. Immutable and safe to use from many threads."""

    __slots__ = ("_fernet",)

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: newest first, each 32 bytes in URL-safe base64; at least one. Raises Unavailable otherwise."""
        if not keys:
            raise Unavailable("there is no sealing key; the key file needs at least one")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError):  # the text of the error could quote the key
            raise Unavailable("a sealing key is not 32 bytes in URL-safe base64") from None

    def seal(self, data: bytes) -> str:
        """Encrypt and authenticate; URL-safe ASCII text, a third longer than `data` plus about 100 characters."""
        return self._fernet.encrypt(data).decode("ascii")

    def open(self, token: str) -> bytes:
        """The bytes that were sealed. Raises Unavailable for a key that is not ours, or for altered text."""
        try:
            return self._fernet.decrypt(token.encode("ascii"))
        except (InvalidToken, UnicodeEncodeError):
            raise Unavailable(
                "sealed data was altered, or was sealed under a key that is not in the key file"
            ) from None
