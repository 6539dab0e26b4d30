"""The directory's keys: made at the first start, kept in its state folder, so that restarts keep trust."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class DirectoryKeys:
    """What the directory signs with. PEM; the cookie key is raw bytes."""

    saml_key: bytes = field(repr=False)
    saml_certificate: bytes
    openid_key: bytes = field(repr=False)
    cookie_key: bytes = field(repr=False)


def load_or_create(folder: Path, now: datetime) -> DirectoryKeys:
    """The keys in `folder`; made there (files 0600, the folder 0700 if new) if they are not.

    Raises OSError if the folder cannot be written, ValueError if a file there is not a key.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    saml = _kept(folder / "saml.pem", lambda: _key_and_certificate(now))
    key, _, certificate = saml.partition(b"-----BEGIN CERTIFICATE-----")
    if not certificate:
        raise ValueError(f"{folder / 'saml.pem'} holds no certificate; delete it and start again")
    return DirectoryKeys(
        saml_key=key,
        saml_certificate=b"-----BEGIN CERTIFICATE-----" + certificate,
        openid_key=_kept(folder / "openid.pem", lambda: _pem(_rsa())),
        cookie_key=_kept(folder / "cookie.key", lambda: secrets.token_bytes(32)),
    )


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(make())
        # A link, not a rename: of two that start at once, the second takes the first one's key.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes()


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_and_certificate(now: datetime) -> bytes:
    key = _rsa()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Demo directory, SAML signing")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return _pem(key) + certificate.public_bytes(serialization.Encoding.PEM)
