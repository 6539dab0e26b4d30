"""The broker's own keys: one file, made at first start, the same on every host.

It holds the key and certificate with which SAML requests are signed, and the keys that seal rows in the
store. Who can read it can read what is sealed, so a file that others could read is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from app.errors import KeysUnusable

RSA_BITS: Final = 3_072
"""NIST SP 800-57 part 1: good beyond 2030."""
CERTIFICATE_LIFE: Final = timedelta(days=3_652)
MAX_SIZE: Final = 256 * 1024
"""Bytes."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys. Only the certificate is public."""

    saml_key: bytes = field(repr=False)
    """RSA private key, PEM (PKCS #8)."""
    saml_certificate: bytes
    """Self-signed, PEM; belongs to `saml_key`."""
    sealing_keys: tuple[bytes, ...] = field(repr=False)
    """Newest first, at least one; each 32 bytes in URL-safe base64, as Fernet takes them."""


def load_or_create(path: Path, now: datetime) -> Keyring:
    """The keys in the file at `path`; made, with mode 0600, if there is none.

    `now` dates the certificate. Of several processes that start at once, one makes the file and all use it.
    Raises KeysUnusable, naming the path, if the file is damaged, can be read by others, or can't be made.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        pass
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _publish(path, _write(_create(now)))
        return _load(path)
    except OSError as error:
        raise _unusable(path, f"cannot be made ({error.strerror})") from error


def _unusable(path: Path, why: str) -> KeysUnusable:
    return KeysUnusable(f"the key file {path} {why}")


# --- reading --------------------------------------------------------------------------------------


def _load(path: Path) -> Keyring:
    try:
        with path.open("rb") as file:
            # Asked of the open file, so that what is judged is what is read.
            _private(path, os.fstat(file.fileno()))
            document = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    if len(document) > MAX_SIZE:
        raise _unusable(path, f"is larger than {MAX_SIZE} bytes")
    try:
        return _read(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unusable(path, "is damaged; restore it from a backup") from error


def _private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, "is not a file")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unusable(
            path, f"can be used by others (mode {stat.S_IMODE(status.st_mode):04o}); set it to 0600"
        )
    if status.st_uid not in {os.geteuid(), 0}:
        raise _unusable(path, "belongs to another user")


def _read(document: bytes) -> Keyring:
    """The keyring, or one of the exceptions that mean damage."""
    kept = json.loads(document)
    if kept["version"] != _VERSION:
        raise ValueError("unknown version")
    keyring = Keyring(
        saml_key=kept["saml_key"].encode("ascii"),
        saml_certificate=kept["saml_certificate"].encode("ascii"),
        sealing_keys=tuple(key.encode("ascii") for key in kept["sealing_keys"]),
    )
    key = serialization.load_pem_private_key(keyring.saml_key, password=None)
    certificate = x509.load_pem_x509_certificate(keyring.saml_certificate)
    if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("key and certificate do not belong together")
    if not keyring.sealing_keys:
        raise ValueError("no sealing key")
    for sealing_key in keyring.sealing_keys:
        Fernet(sealing_key)
    return keyring


# --- making ---------------------------------------------------------------------------------------


def _create(now: datetime) -> Keyring:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "daypass SAML signing")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day earlier, for a provider whose clock is behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Keyring(
        saml_key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        saml_certificate=certificate.public_bytes(serialization.Encoding.PEM),
        sealing_keys=(Fernet.generate_key(),),
    )


def _write(keyring: Keyring) -> bytes:
    kept = {
        "version": _VERSION,
        "saml_key": keyring.saml_key.decode("ascii"),
        "saml_certificate": keyring.saml_certificate.decode("ascii"),
        "sealing_keys": [key.decode("ascii") for key in keyring.sealing_keys],
    }
    return json.dumps(kept, indent=2).encode("ascii") + b"\n"


def _publish(path: Path, document: bytes) -> None:
    """Put the whole file there at once, unless another process was first."""
    # mkstemp makes it with mode 0600; a link, unlike a rename, fails where a file is already.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        Path(temporary).unlink()
