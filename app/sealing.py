"""Encryption at rest under the broker's own keys: AES-256-GCM-SIV (RFC 8452), with rotation.

Seals what the store must remember and no reader of a database copy may use: session documents, OIDC
verifiers and nonces. A seal covers the name of what it was made for, so that it opens for nothing else.

GCM-SIV, because nonces are drawn at random on every host and nobody counts them: one that comes twice tells whether
two texts of one name are the same, and no more, where GCM would give its key away (NIST SP 800-38D, 8.3: at
most 2^32 texts a key).
"""

from __future__ import annotations

import base64
import os
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import Unavailable

_MARK: Final = "2."
"""What every text begins with; no Fernet token has a dot, so neither is ever taken for the other."""
_PURPOSE: Final = b"daypass sealing 2 AES-256-GCM-SIV"
_NONCE: Final = 12
"""Bytes."""


class Sealer:
    """Seals under the first key, opens under any. Immutable and safe to use from many threads."""

    __slots__ = ("_ciphers", "_encrypt", "_fernet")

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: newest first, each 32 bytes in URL-safe base64; at least one. Raises Unavailable otherwise."""
        if not keys:
            raise Unavailable("there is no sealing key; the key file needs at least one")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
            self._ciphers = tuple(AESGCMSIV(_derived(key)) for key in keys)
        except (ValueError, TypeError):  # the text of the error could quote the key
            raise Unavailable("a sealing key is not 32 bytes in URL-safe base64") from None
        except UnsupportedAlgorithm:
            raise Unavailable(
                "the package `cryptography` was built with an OpenSSL without AES-GCM-SIV, which came with 3.2; "
                "install its wheel"
            ) from None
        self._encrypt = self._ciphers[0].encrypt

    def seal(self, data: bytes, name: str) -> str:
        """Encrypt and authenticate for that name; ASCII text, a third longer than `data` plus 40 characters."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._encrypt(nonce, data, name.encode("utf-8", "surrogatepass"))
        return _MARK + b2a_base64(sealed, newline=False).decode("ascii")

    def open(self, text: str, name: str) -> bytes:
        """The bytes that were sealed for that name.

        Raises Unavailable for a key that is not ours, for altered text, and for what was sealed for another name.
        """
        if not text.startswith(_MARK):
            raise _refused()
        try:
            sealed = a2b_base64(text[len(_MARK) :], strict_mode=True)
        except ValueError:
            raise _refused() from None
        nonce, rest, named = sealed[:_NONCE], sealed[_NONCE:], name.encode("utf-8", "surrogatepass")
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, rest, named)
            except (InvalidTag, ValueError):  # ValueError: it was cut within the nonce
                continue
        raise _refused()

    def open_nameless(self, token: str) -> bytes:
        """The same for a Fernet token, as all were before seals had names. Raises Unavailable."""
        try:
            return self._fernet.decrypt(token.encode("ascii"))
        except (InvalidToken, UnicodeEncodeError):
            raise _refused() from None


def has_name(text: str) -> bool:
    """Whether a text is of the kind that was sealed for a name (`Sealer.open`), and not of the older one."""
    return text.startswith(_MARK)


def _derived(key: bytes) -> bytes:
    """The cipher's own key: the configured one belongs to Fernet."""
    return HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(base64.urlsafe_b64decode(key))


def _refused() -> Unavailable:
    return Unavailable(
        "sealed data was altered or moved, or was sealed under a key that is not in the key file"
    )
